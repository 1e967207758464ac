// Package examples holds programs to run under greenagent; its tests keep them
// running.
package examples

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// train runs the example and returns its standard output.
func train(t *testing.T, args ...string) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine: the example is not tested")
	}
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), python, append([]string{"train.py"}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("train.py %v: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}

var accuracies = regexp.MustCompile(`test accuracy +([0-9.]+)%`)

func TestTrainingLearns(t *testing.T) {
	out := train(t, "--epochs", "2")
	found := accuracies.FindAllStringSubmatch(out, -1)
	if len(found) != 3 {
		t.Fatalf("%d accuracies, want one before and two after an epoch:\n%s", len(found), out)
	}
	accuracy := func(i int) float64 {
		percent, err := strconv.ParseFloat(found[i][1], 64)
		if err != nil {
			t.Fatal(err)
		}
		return percent
	}
	// Ten digits: guessing is right in 10 % of cases.
	if before, after := accuracy(0), accuracy(2); before > 25 || after < 80 {
		t.Errorf("accuracy went from %v %% to %v %%", before, after)
	}
}

func TestWorkersChangeNoNumber(t *testing.T) {
	alone := train(t, "--epochs", "1", "--samples", "200", "--seed", "7")
	shared := train(t, "--epochs", "1", "--samples", "200", "--seed", "7", "--workers", "3")
	if alone != shared {
		t.Errorf("one process printed\n%sthree printed\n%s", alone, shared)
	}
	if other := train(t, "--epochs", "1", "--samples", "200", "--seed", "8"); other == alone {
		t.Error("another seed printed the same numbers")
	}
}

func TestSecondsEndTraining(t *testing.T) {
	out := train(t, "--epochs", "1000", "--samples", "200", "--seconds", "0.1")
	if n := strings.Count(out, "epoch "); n != 1 {
		t.Errorf("%d epochs in 0.1 s, want the one in which the time is up", n)
	}
}
