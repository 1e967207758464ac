package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	page    = "../../docs/accuracy.md"
	picture = "../../docs/accuracy.svg"
)

// TestPart measures a part of the matrix again: it must come out as the page has
// it, and the truth must be where greenagent says.
func TestPart(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	part := []string{"steady", "square 100ms, 80 %", "square 1s, 50 %", "run of 700ms", "run of 2s", "at once, 1s",
		"one alone", "taking turns of 2 s", "taking equal turns of 2 s", "one ends early", "as long active, unlike power", "unlike power, one 8 s later",
		"processes of 2.5 s", "processes of 0.7 s", "processes of 0.7 s beside one"}
	loads := slices.DeleteFunc(matrix(), func(l load) bool { return !slices.Contains(part, l.name) })
	if len(loads) != len(part) {
		t.Fatalf("%d loads of %d are in the matrix", len(loads), len(part))
	}
	on := slices.DeleteFunc(boards(), func(b board) bool { return b.name != "GA100" && b.name != "Pascal" })
	results, err := run(t, defaultSeed, loads, on)
	if err != nil {
		t.Fatal(err)
	}
	for i := range results {
		r := &results[i]
		if want := row(r); strings.Count(string(text), want) != 1 {
			t.Errorf("%s: not in the page, or not once: %sregenerate with: go run ./bench/accuracy", r.board, want)
		}
	}

	everywhere := func(*result) bool { return true }
	if c := coverage(results, everywhere, func(r *result) int { return r.published }); c < 0.95 {
		t.Errorf("the truth is within the published bound in %.1f %% of the trials, want 95 %%", 100*c)
	}
}

// TestWhole measures everything again and wants the same bytes.
func TestWhole(t *testing.T) {
	if testing.Short() {
		t.Skip("measures everything")
	}
	results, err := run(t, defaultSeed, matrix(), boards())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	again, err := splice(text, tables(results))
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, text) || !bytes.Equal(plot(results), drawn) {
		t.Error("docs/accuracy.md or .svg is out of date: go run ./bench/accuracy")
	}
	for _, of := range []struct {
		name string
		has  func(r *result) bool
	}{
		{"devices", func(r *result) bool { return r.party == "" }},
		{"processes", func(r *result) bool { return r.party != "" }},
	} {
		c := coverage(results, of.has, func(r *result) int { return r.published })
		t.Logf("%s: %.1f %%", of.name, 100*c)
		if c < 0.95 {
			t.Errorf("%s: the truth is within the published bound in %.1f %% of the trials, want 95 %%", of.name, 100*c)
		}
	}
	for i := range results {
		r := &results[i]
		if most := promised(r); r.party == "" && most > 0 && max(r.agent, -r.agent) > most {
			t.Errorf("%s, %s: off by %.2f %%, promised is %.1f %%", r.board, r.load, 100*r.agent, 100*most)
		}
	}
}

// promised is the largest error allowed of the energy of a device, 0 where only its
// bound is promised.
func promised(r *result) score {
	switch {
	case r.length < time.Second:
		return 0
	case r.board == "GA100" && r.load == "at once, 1s":
		// Its sensor sees a quarter of the time, remembers no more of it, and has no
		// average: nothing tells of the rest of the time before it was opened.
		return 0.006
	case r.counter:
		return 0.005
	case strings.HasPrefix(r.board, "Hopper"): // integrated from a gapless average
		return 0.02
	}
	return 0
}

// TestTruth: what the parties caused and what the device draws idle is what it
// used.
func TestTruth(t *testing.T) {
	for _, b := range boards() {
		for _, l := range matrix() {
			if !l.suits(&b) {
				continue
			}
			trial := newTrial(3, b, l, 0)
			sum := b.device.Idle.For(trial.end - trial.start)
			for _, party := range trial.parties {
				sum += trial.truthOf(party)
			}
			if off := sum - trial.truth(); off < -1000 || off > 1000 { // µJ, of rounding
				t.Errorf("%s, %s: parts sum to %v of %v", b.name, l.name, sum, trial.truth())
			}
		}
	}
}
