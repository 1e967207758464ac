package arch

import (
	"bufio"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// sources yields the path of every Go file of the module from its root, with
// slashes, whatever its build tags.
func sources(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			_, modErr := os.Stat(filepath.Join(path, "go.mod"))
			nested := modErr == nil && path != root
			if nested || name == "testdata" || (strings.HasPrefix(name, ".") && path != root) {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, ".go") {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			files = append(files, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("only %d source files found below %s", len(files), root)
	}
	return files
}

func TestImportsFollowTheArrows(t *testing.T) {
	set := token.NewFileSet()
	said := make(map[string]bool)
	for _, file := range sources(t) {
		parsed, err := parser.ParseFile(set, filepath.Join(root, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			continue
		}
		folder := filepath.ToSlash(filepath.Dir(file))
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if v := violation(folder, path, strings.HasSuffix(file, "_test.go")); v != "" && !said[v] {
				said[v] = true
				t.Errorf("%s: %s", file, v)
			}
		}
	}
}

// An arrow that nobody goes along is a door left open.
func TestArrowsAreUsed(t *testing.T) {
	set := token.NewFileSet()
	used := make(map[[2]string]bool)
	for _, file := range sources(t) {
		parsed, err := parser.ParseFile(set, filepath.Join(root, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		from, _ := roomOf(filepath.ToSlash(filepath.Dir(file)))
		for _, spec := range parsed.Imports {
			path, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module+"/")
			if to, ok := roomOf(path); ours && ok && !strings.HasSuffix(file, "_test.go") {
				used[[2]string{from.path, to.path}] = true
			}
		}
	}
	for _, r := range rooms {
		for _, to := range r.imports {
			if !used[[2]string{r.path, to}] {
				t.Errorf("%s may import %s, and does not", r.path, to)
			}
		}
	}
}

// The check itself must be able to fail.
func TestViolation(t *testing.T) {
	for _, c := range []struct {
		folder, path string
		test, ok     bool
	}{
		{"collector", "greenagent/nvml", false, true},
		{"collector/host", "greenagent/collector/procfs", false, true},
		{"cmd/greenagent", "greenagent/meter", false, true},
		{"energy", "math/bits", false, true},
		{"nvml", "C", false, true},
		{"nvml", "greenagent/nvml/sim", true, true},
		{"nvml/sim", "greenagent/nvml", false, true},
		{"energy", "pgregory.net/rapid", true, true},
		{"carbon/refresh", "golang.org/x/text/language", false, true},

		{"nvml", "greenagent/collector", false, false},
		{"nvml", "greenagent/nvml/sim", false, false},
		{"collector", "greenagent/scenario", false, false},
		{"attribution", "greenagent/nvml", false, false},
		{"energy", "greenagent/carbon", false, false},
		{"exporter", "greenagent/meter", false, false},
		{"collector", "greenagent", false, false},
		{"collector", "greenagent/util", false, false},
		{"util", "fmt", false, false},
		{"collector", "github.com/spf13/cobra", false, false},
		{"collector", "pgregory.net/rapid", false, false},
		{"collector", "example.org/new/library", false, false},
		{"collector", "example.org/new/library", true, false},
	} {
		v := violation(c.folder, c.path, c.test)
		if (v == "") != c.ok {
			t.Errorf("%s importing %s (in a test: %t): %q", c.folder, c.path, c.test, v)
		}
	}
}

// The plan itself: what it points at is on it, and no arrows form a circle.
func TestPlanHasNoCircles(t *testing.T) {
	byPath := make(map[string]room)
	for _, r := range rooms {
		byPath[r.path] = r
	}
	var visit func(path string, trail []string)
	visit = func(path string, trail []string) {
		if slices.Contains(trail, path) {
			t.Fatalf("circle: %s", strings.Join(append(trail, path), " ─► "))
		}
		r, ok := byPath[path]
		if !ok {
			t.Fatalf("%s points at %s, which is not on the plan", trail[len(trail)-1], path)
		}
		for _, next := range r.imports {
			visit(next, append(slices.Clone(trail), path))
		}
	}
	for _, r := range rooms {
		visit(r.path, nil)
	}
}

// Names that say nothing about what is inside gather everything.
func TestNoPackageForEverythingElse(t *testing.T) {
	for _, file := range sources(t) {
		for _, part := range strings.Split(filepath.ToSlash(filepath.Dir(file)), "/") {
			switch part {
			case "util", "utils", "common", "helper", "helpers", "misc", "lib", "base", "shared":
				t.Errorf("%s: %s names nothing from the field", file, part)
			}
		}
	}
}

var (
	required = regexp.MustCompile(`^(?:\t|require )(\S+) (v\S+)( // indirect)?$`)
	listed   = regexp.MustCompile("^\\| `([^`]+)` \\| (v[^ |]+) \\|")
)

// docs/dependencies.md names every module this one requires directly, at the
// version in go.mod, and no other.
func TestDependenciesAreDocumented(t *testing.T) {
	modules := make(map[string]string)
	for line := range scan(t, "go.mod") {
		if m := required.FindStringSubmatch(line); len(m) > 0 && m[3] == "" {
			modules[m[1]] = m[2]
		}
	}
	if len(modules) == 0 {
		t.Fatal("go.mod: no direct requirement found")
	}
	documented := make(map[string]string)
	for line := range scan(t, "docs/dependencies.md") {
		if m := listed.FindStringSubmatch(line); m != nil {
			documented[m[1]] = m[2]
		}
	}
	for module, version := range modules {
		if documented[module] != version {
			t.Errorf("docs/dependencies.md: %s %s is required, %q is documented", module, version, documented[module])
		}
	}
	for module := range documented {
		if _, ok := modules[module]; !ok {
			t.Errorf("docs/dependencies.md: %s is not required directly", module)
		}
	}
}

// scan yields the lines of a file below the root.
func scan(t *testing.T, path string) func(yield func(string) bool) {
	t.Helper()
	f, err := os.Open(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(string) bool) {
		defer f.Close()
		s := bufio.NewScanner(f)
		for s.Scan() {
			if !yield(s.Text()) {
				return
			}
		}
		if err := s.Err(); err != nil {
			t.Error(err)
		}
	}
}
