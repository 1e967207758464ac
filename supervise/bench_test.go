//go:build linux

package supervise

import (
	"os"
	"slices"
	"syscall"
	"testing"
)

// BenchmarkBare is the command alone: the difference to BenchmarkStart is what
// supervision costs a short command.
func BenchmarkBare(b *testing.B) {
	for b.Loop() {
		p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		p, err := Start(Command{Args: []string{"/bin/true"}}, &counter{})
		if err != nil {
			b.Fatal(err)
		}
		p.Wait()
		b.StopTimer() // not part of a short command's time
		p.Close()
		b.StartTimer()
	}
}

// BenchmarkTargets is a signal's search through a run of a hundred processes.
func BenchmarkTargets(b *testing.B) {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	r.Fd() // blocking from here on
	p, err := Start(Command{Args: []string{"sh", "-c", `i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done; read x`}, Stdin: r}, &counter{})
	if err != nil {
		b.Fatal(err)
	}
	var list []int
	for len(list) < 100 {
		list, _ = descendants(list[:0], proc, p.PID(), nil)
	}
	for b.Loop() {
		if _, err := p.targets(syscall.SIGTERM, now()+10); err != nil {
			b.Fatal(err)
		}
	}
	for _, pid := range list {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for len(list) > 0 {
		list, _ = descendants(list[:0], proc, p.PID(), nil)
		list = slices.DeleteFunc(list, func(pid int) bool { return state(pid) == "Z" })
	}
	w.Close()
	p.Wait()
	p.Close()
}
