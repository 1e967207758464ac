package meter

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
)

// TestFailuresAreLoggedOnce: when they begin and when they are over, and at most once
// a minute if they come and go.
func TestFailuresAreLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	f := failures{log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})), feed: "NVML"}
	lost := fmt.Errorf("GPU-1: %w", nvml.ErrLost)
	at := energy.Instant(time.Hour)
	step := func(d time.Duration, err error) {
		f.note(reading, err, at)
		f.note(observing, nil, at) // another question, and well
		at = at.Add(d)
	}
	for range 100 {
		step(50*time.Millisecond, errors.Join(lost, nvml.ErrHung))
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines for two failures:\n%s", n, &log)
	}
	for range 100 {
		step(50*time.Millisecond, nil)
		step(50*time.Millisecond, lost)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines for one that comes and goes:\n%s", n, &log)
	}
	step(2*quietFor, nil)
	step(time.Second, lost)
	step(time.Second, fmt.Errorf("GPU-2: %w", nvml.ErrAsleep))
	if n := strings.Count(log.String(), "\n"); n != 3 {
		t.Errorf("%d lines, want one more, and none of a GPU that sleeps:\n%s", n, &log)
	}
	want := []string{"NVML: GPU-1: GPU is lost (for 11s)", "NVML: driver call hangs (for 5s)", "NVML: GPU-2: GPU is asleep (for 1s)"}
	if got := f.words(at); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestFailuresAreBounded: whatever a driver says.
func TestFailuresAreBounded(t *testing.T) {
	f := failures{feed: "NVML"}
	for i := range 1000 {
		f.note(reading, fmt.Errorf("failure %d", i), energy.Instant(i))
	}
	if words := f.words(1000); len(words) != maxFailures+1 || !strings.Contains(words[maxFailures], "992 more") {
		t.Errorf("%q", words)
	}
}

// TestFailuresOfOneMessage: an error that wraps two is one, errors that were joined
// are as many.
func TestFailuresOfOneMessage(t *testing.T) {
	two := errors.Join(nvml.ErrLost, errors.Join(nvml.ErrHung, nil))
	if n := len(each(two)); n != 2 {
		t.Errorf("%d of %q", n, two)
	}
	one := fmt.Errorf("open: %w: %w", nvml.ErrAbsent, nvml.ErrHung)
	if n := len(each(one)); n != 1 {
		t.Errorf("%d of %q", n, one)
	}
}
