// Package arch holds the shape of the house: which package may import which,
// and where a library from outside may be used. Its tests walk the source.
//
//	cmd ─► doctor ─► meter ─► exporter ─► attribution ─► collector ─► nvml
//	 │                          └───────► carbon
//	 └───► supervise                       everything ─► energy ─► std
package arch

import (
	"fmt"
	"slices"
	"strings"
)

// module is the import path of the repository's root.
const module = "greenagent"

// room is a folder and what is below it, unless that has a room of its own.
type room struct {
	path string
	// imports lists the rooms it may import. Its own subfolders always may.
	imports []string
	// tests lists the rooms that only its tests may import besides.
	tests []string
}

// rooms is the plan. A new folder needs a line here: where does it stand?
var rooms = []room{
	{path: "energy"},
	{path: "scenario", imports: []string{"energy"}},
	{path: "nvml", imports: []string{"energy"}, tests: []string{"scenario", "nvml/sim", "nvml/libsim", "nvml/conformance"}},
	{path: "nvml/sim", imports: []string{"energy", "scenario", "nvml"}, tests: []string{"nvml/conformance"}},
	{path: "nvml/libsim", imports: []string{"energy", "scenario"}, tests: []string{"nvml", "nvml/conformance"}},
	{path: "nvml/conformance", imports: []string{"energy", "nvml"}, tests: simulators},
	{path: "collector", imports: []string{"energy", "nvml"}, tests: simulators},
	{path: "attribution", imports: []string{"energy", "collector"}, tests: simulators},
	{path: "profile", imports: []string{"energy", "collector"}},
	{path: "carbon", imports: []string{"energy"}},
	{path: "supervise", imports: []string{"energy"}},
	{path: "exporter", imports: []string{"energy", "attribution", "carbon", "collector"}, tests: simulators},
	{path: "meter", imports: []string{"energy", "nvml", "collector", "attribution"}, tests: simulators},
	{path: "doctor", imports: []string{"energy", "nvml", "collector", "carbon", "exporter", "meter", "profile"}, tests: simulators},
	{path: "cmd", imports: []string{
		"energy", "nvml", "collector", "attribution", "carbon", "exporter", "meter", "supervise", "doctor", "profile",
	}, tests: simulators},
	{path: "bench", imports: []string{"energy", "nvml", "nvml/sim", "scenario", "collector", "meter", "exporter"}, tests: []string{"nvml/libsim"}},
	{path: "internal/arch"},
	{path: "examples"},
}

// simulators stand in for hardware. The pipeline never knows which it has.
var simulators = []string{"scenario", "nvml/sim", "nvml/libsim"}

// library is a module from outside and the rooms that may use it. The point is
// to keep a heavy one in the one room that needs it, and to notice a new one.
type library struct {
	path      string
	rooms     []string
	testsOnly bool
}

var anywhere []string

var libraries = []library{
	{path: "github.com/NVIDIA/go-nvml", rooms: []string{"nvml"}},
	{path: "github.com/shirou/gopsutil/v3", rooms: []string{"collector"}},
	{path: "github.com/spf13/cobra", rooms: []string{"cmd"}},
	{path: "github.com/spf13/pflag", rooms: []string{"cmd"}},
	{path: "github.com/mattn/go-isatty", rooms: []string{"cmd"}},
	{path: "go.yaml.in/yaml/v3", rooms: []string{"scenario", "cmd"}},
	{path: "golang.org/x/sys", rooms: anywhere},
	{path: "golang.org/x/text", rooms: []string{"carbon"}},

	{path: "github.com/google/go-cmp", testsOnly: true},
	{path: "github.com/cockroachdb/datadriven", testsOnly: true},
	{path: "github.com/creack/pty", testsOnly: true},
	{path: "github.com/rogpeppe/go-internal", testsOnly: true},
	{path: "go.uber.org/goleak", testsOnly: true},
	{path: "pgregory.net/rapid", testsOnly: true},
}

// violation says why a file in folder may not import path, or "" if it may.
// test is true for a _test.go file.
func violation(folder, path string, test bool) string {
	from, ok := roomOf(folder)
	if !ok {
		return fmt.Sprintf("%s: no room of the plan: say in internal/arch where it stands", folder)
	}
	if first, _, _ := strings.Cut(path, "/"); path == module || first == module {
		return inside(from, strings.TrimPrefix(strings.TrimPrefix(path, module), "/"), test)
	} else if !strings.Contains(first, ".") {
		return "" // the standard library, and "C"
	}
	return outside(from, path, test)
}

func inside(from room, folder string, test bool) string {
	to, ok := roomOf(folder)
	switch {
	case !ok:
		return fmt.Sprintf("%s imports %s, which is no room of the plan", from.path, folder)
	case to.path == from.path, slices.Contains(from.imports, to.path), test && slices.Contains(from.tests, to.path):
		return ""
	}
	return fmt.Sprintf("%s must not import %s: the arrows point the other way", from.path, to.path)
}

func outside(from room, path string, test bool) string {
	for _, l := range libraries {
		if !within(path, l.path) {
			continue
		}
		switch {
		case test:
			return ""
		case l.testsOnly:
			return fmt.Sprintf("%s imports %s, which is for tests", from.path, path)
		case l.rooms != nil && !slices.Contains(l.rooms, top(from.path)) && !slices.Contains(l.rooms, from.path):
			return fmt.Sprintf("%s imports %s, which is kept in %s", from.path, path, strings.Join(l.rooms, ", "))
		}
		return ""
	}
	return fmt.Sprintf("%s imports %s: give the library a line in internal/arch and in docs/dependencies.md", from.path, path)
}

// roomOf returns the innermost room that holds the folder.
func roomOf(folder string) (room, bool) {
	var found room
	for _, r := range rooms {
		if within(folder, r.path) && len(r.path) > len(found.path) {
			found = r
		}
	}
	return found, found.path != ""
}

func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

func top(folder string) string {
	first, _, _ := strings.Cut(folder, "/")
	return first
}
