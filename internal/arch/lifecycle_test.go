package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLifecycleNamesItsTests: every fault of docs/lifecycle.md names a test, and each
// of them is there.
func TestLifecycleNamesItsTests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "lifecycle.md"))
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]string{"cmd": "cmd/greenagent", "collector": "collector", "meter": "meter", "nvml": "nvml"}
	sources := map[string]string{}
	for name, folder := range folders {
		files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(source)
		}
		sources[name] = all.String()
	}
	named := regexp.MustCompile("`(cmd|collector|meter|nvml) (Test\\w+)`")
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| What happens") {
			continue
		}
		rows++
		tests := named.FindAllStringSubmatch(line, -1)
		if len(tests) == 0 {
			t.Errorf("no test is named in %s", line)
		}
		for _, test := range tests {
			if !strings.Contains(sources[test[1]], "\nfunc "+test[2]+"(t *testing.T)") {
				t.Errorf("%s has no %s", folders[test[1]], test[2])
			}
		}
	}
	if rows < 15 {
		t.Errorf("%d rows", rows)
	}
}
