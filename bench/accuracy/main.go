// Accuracy compares greenagent with simpler ways to measure a GPU, on sensors of
// which the truth is known: those of package scenario. It needs no GPU. Run from
// the root of the repository it rewrites the tables of docs/accuracy.md and the
// plot docs/accuracy.svg; the same seed gives the same bytes.
//
//	go run ./bench/accuracy
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// defaultSeed is that of the figures in the repository.
const defaultSeed = 1

func main() {
	seed := flag.Uint64("seed", defaultSeed, "`number` from which phases, jitter and random loads are drawn")
	docs := flag.String("docs", "docs", "`folder` of accuracy.md and accuracy.svg")
	flag.Parse()
	began := time.Now()
	// The meter's timers need a synctest bubble to run in virtual time, and that
	// needs a test to belong to.
	testing.Main(regexp.MatchString, []testing.InternalTest{{Name: "accuracy", F: func(t *testing.T) {
		results, err := run(t, *seed, matrix(), boards())
		if err == nil {
			err = write(*docs, results)
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(os.Stderr, overview(results))
		fmt.Fprintf(os.Stderr, "%d cells of %d trials in %v\n", len(results), trials, time.Since(began).Round(time.Second))
	}}}, nil, nil)
}

// write puts the results into the two files.
func write(folder string, results []result) error {
	page := filepath.Join(folder, "accuracy.md")
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	text, err = splice(text, tables(results))
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	if err := os.WriteFile(page, text, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "accuracy.svg"), plot(results), 0o644)
}
