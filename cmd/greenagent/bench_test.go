//go:build linux

package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkRunTrue compares a command of no length with and without greenagent:
// the difference is what a short command pays. The program is built as it is
// released, without the tests.
func BenchmarkRunTrue(b *testing.B) {
	program := filepath.Join(b.TempDir(), "greenagent")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"bare", []string{"true"}},
		{"run", []string{program, "run", "--quiet", "--", "true"}},
		{"report", []string{program, "run", "--", "true"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if err := exec.CommandContext(b.Context(), c.args[0], c.args[1:]...).Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
