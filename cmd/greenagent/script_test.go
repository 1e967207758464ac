//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/script: greenagent as a person uses it. Beside
// testscript's commands and the programs of TestMain there are
//
//	status N COMMAND...   runs a command that must exit with N
//	field FILE PATH WANT  compares a value of a JSON file: exit.code, domains.0.type
//	plain FILE            fails if a file, or stdout or stderr, would act on a terminal
//	atmost FILE SIZE      fails if a file, stdout or stderr is larger, in bytes
//	shout FILE TEXT       writes a file, with Go's escapes in TEXT
//
// and the conditions root and cgo.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(2 * patience),
		Setup: func(e *testscript.Env) error {
			e.Setenv(markOfTests, os.Getenv(markOfTests))
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Setenv("TMPDIR", filepath.Join(e.WorkDir, "tmp"))
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			return os.MkdirAll(filepath.Join(e.WorkDir, "tmp"), 0o755)
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Getuid() == 0, nil
			case "cgo":
				return withCgo, nil
			}
			return false, errors.New("unknown condition " + name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status, "field": field, "plain": plain, "atmost": atMost, "shout": shout,
		},
	})
}

func wants(ts *testscript.TestScript, neg bool, args []string, usage string, count int) {
	if neg || len(args) < count {
		ts.Fatalf("usage: %s", usage)
	}
}

func status(ts *testscript.TestScript, neg bool, args []string) {
	wants(ts, neg, args, "status N COMMAND...", 2)
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func field(ts *testscript.TestScript, neg bool, args []string) {
	wants(ts, neg, args, "field FILE PATH WANT", 3)
	var value any
	d := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	d.UseNumber()
	ts.Check(d.Decode(&value))
	if d.More() {
		ts.Fatalf("%s: something follows the JSON", args[0])
	}
	for key := range strings.SplitSeq(args[1], ".") {
		switch v := value.(type) {
		case map[string]any:
			inner, ok := v[key]
			if !ok {
				ts.Fatalf("%s: no key %s of %s", args[0], key, args[1])
			}
			value = inner
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(v) {
				ts.Fatalf("%s: no element %s of %s", args[0], key, args[1])
			}
			value = v[i]
		default:
			ts.Fatalf("%s: nothing below %s of %s", args[0], key, args[1])
		}
	}
	got, ok := value.(string)
	if !ok {
		text, err := json.Marshal(value)
		ts.Check(err)
		got = string(text)
	}
	if got != args[2] {
		ts.Fatalf("%s: %s is %s, want %s", args[0], args[1], got, args[2])
	}
}

func plain(ts *testscript.TestScript, neg bool, args []string) {
	wants(ts, neg, args, "plain FILE", 1)
	text := ts.ReadFile(args[0])
	if text == "" {
		ts.Fatalf("%s is empty", args[0])
	}
	if at := unprintable(text); at >= 0 {
		ts.Fatalf("%s: at byte %d: %q", args[0], at, text[max(0, at-20):min(len(text), at+20)])
	}
}

// unprintable returns where text has what a terminal would act upon or cannot
// show, or -1. Lines may end and be indented.
func unprintable(text string) int {
	for i, c := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); c == utf8.RuneError && size == 1 {
			return i
		}
		if c != '\n' && !unicode.IsPrint(c) {
			return i
		}
	}
	return -1
}

func atMost(ts *testscript.TestScript, neg bool, args []string) {
	wants(ts, neg, args, "atmost FILE SIZE", 2)
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	if n := len(ts.ReadFile(args[0])); n > size {
		ts.Fatalf("%s has %d bytes, want at most %d", args[0], n, size)
	}
}

func shout(ts *testscript.TestScript, neg bool, args []string) {
	wants(ts, neg, args, "shout FILE TEXT", 2)
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o755))
}
