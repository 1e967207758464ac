//go:build !linux || !cgo

package nvml

import (
	"errors"
	"strings"
	"testing"
)

func TestWithoutBinding(t *testing.T) {
	_, err := Open(t.Context(), Options{})
	if !errors.Is(err, ErrAbsent) || !strings.Contains(err.Error(), "built without cgo") {
		t.Errorf("Open: %v", err)
	}
}
