package runfile_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"greenagent/exporter/runfile"
)

// TestEveryKeyIsDocumented holds docs/run-file.md to the types.
func TestEveryKeyIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/run-file.md")
	if err != nil {
		t.Fatal(err)
	}
	for key := range keys(reflect.TypeFor[runfile.Run]()) {
		if !strings.Contains(string(text), key+"`") && !strings.Contains(string(text), key+"[]") && !strings.Contains(string(text), key+".") {
			t.Errorf("%q is not in docs/run-file.md", key)
		}
	}
}

// keys collects the JSON keys of a type and of those it is made of.
func keys(t reflect.Type) map[string]bool {
	found := map[string]bool{}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return keys(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if name, ok := t.Field(i).Tag.Lookup("json"); ok {
				found[name] = true
			}
			for k := range keys(t.Field(i).Type) {
				found[k] = true
			}
		}
	}
	return found
}
