//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestHelpExamples runs the examples that --help shows, as a shell would, in a
// folder in which the programs they name exist.
func TestHelpExamples(t *testing.T) {
	t.Parallel()
	p := &program{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	root := p.command()
	for _, cmd := range commands(root) {
		if cmd.Name() == "completion" || cmd.Name() == "help" { // cobra's own
			continue
		}
		examples := strings.Split(strings.TrimSpace(cmd.Example), "\n")
		if cmd.Name() != "version" && examples[0] == "" {
			t.Errorf("%s --help teaches nothing: it has no example", cmd.CommandPath())
		}
		for _, line := range examples {
			if line != "" {
				t.Run(line, func(t *testing.T) { t.Parallel(); example(t, strings.TrimSpace(line)) })
			}
		}
	}
}

func example(t *testing.T, line string) {
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bin/python3", "bin/make", "bin/torchrun", "train.sh"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\necho trained\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := exec.LookPath("jq"); err != nil && strings.Contains(line, "jq ") {
		// The example is then tested up to the pipe: what comes must be JSON.
		line, _, _ = strings.Cut(line, " | jq ")
		line += " | python3 -c 'import json, sys; json.load(sys.stdin)'"
		if err := os.Remove(filepath.Join(folder, "bin/python3")); err != nil {
			t.Fatal(err)
		}
	}
	cmd := command(t, "bash", "-c", "set -o pipefail; "+line)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(folder, "bin")+":"+os.Getenv("PATH"))
	got := finish(t, cmd)
	switch doctor := strings.HasPrefix(line, "greenagent doctor"); {
	case doctor && (got.status > 2 || got.stdout == "" && !strings.Contains(line, "select")):
		t.Errorf("%s: status %d\n%s%s", line, got.status, got.stdout, got.stderr)
	case !doctor && got.status != 0:
		t.Errorf("%s: status %d\n%s%s", line, got.status, got.stdout, got.stderr)
	}
	if strings.Contains(line, " run ") && !strings.Contains(line, "--quiet") {
		if got.stdout != "trained\n" || !strings.Contains(got.stderr, "Energy ") {
			t.Errorf("%s: it printed %q and reported\n%s", line, got.stdout, got.stderr)
		}
	}
}

// TestEveryFlagIsDocumented: in help, by a variable and by a key.
func TestEveryFlagIsDocumented(t *testing.T) {
	t.Parallel()
	root := (&program{}).command()
	keys := flagNames(root)
	for _, cmd := range commands(root) {
		check := func(f *pflag.Flag) {
			if f.Usage == "" || !strings.Contains(cmd.UsageString(), "--"+f.Name) {
				t.Errorf("%s --%s is not in the help", cmd.CommandPath(), f.Name)
			}
			if f.Name != "help" && f.Name != "config" && !keys[f.Name] {
				t.Errorf("%s --%s is no key of the configuration file", cmd.CommandPath(), f.Name)
			}
		}
		cmd.LocalFlags().VisitAll(check)
	}
}

// TestSubcommandsHaveHelp: both ways of asking for it work.
func TestSubcommandsHaveHelp(t *testing.T) {
	t.Parallel()
	root := (&program{}).command()
	for _, cmd := range commands(root) {
		if cmd.Short == "" || cmd.Runnable() && cmd.Args == nil && !isCobras(cmd) {
			t.Errorf("%s: no description, or any arguments are accepted", cmd.CommandPath())
		}
		path := strings.Fields(cmd.CommandPath())[1:]
		for _, args := range [][]string{append(slices.Clone(path), "--help"), append([]string{"help"}, path...)} {
			if cmd == root {
				args = []string{"--help"}
			}
			var stdout, stderr bytes.Buffer
			if status := run(t.Context(), args, nil, &stdout, &stderr); status != 0 || stderr.Len() > 0 || !strings.Contains(stdout.String(), "Usage:") {
				t.Errorf("%v: status %d\n%s%s", args, status, stdout.String(), stderr.String())
			}
		}
	}
}

func isCobras(cmd *cobra.Command) bool { return cmd.Name() == "completion" || cmd.Name() == "help" }
