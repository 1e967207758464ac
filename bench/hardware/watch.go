package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"sort"
	"time"

	"greenagent/energy"
)

// look is a reading of the other process.
type look struct {
	at      time.Time // by the wall clock
	counter energy.Energy
	power   energy.Power // below 0: unknown
}

// watcher reads the GPU in a process that shares no code with greenagent.
type watcher struct {
	cmd   *exec.Cmd
	stdin io.Closer
	first chan struct{}
	ended chan struct{}
	looks []look // the goroutine's until ended
}

func (s *session) watch(ctx context.Context, environment []string) (*watcher, error) {
	cmd := s.python(ctx, environment, "watch", s.report.GPU.UUID)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	w := &watcher{cmd: cmd, stdin: stdin, first: make(chan struct{}), ended: make(chan struct{})}
	go w.read(stdout)
	select {
	case <-w.first:
		return w, nil
	case <-w.ended:
	case <-time.After(30 * time.Second):
	}
	_ = w.stop() // what matters is that it said nothing
	return nil, fmt.Errorf("the independent reading does not start; try: nvidia-smi")
}

func (w *watcher) read(from io.Reader) {
	defer close(w.ended)
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var mono, wall, millijoules, milliwatts int64
		if _, err := fmt.Sscan(lines.Text(), &mono, &wall, &millijoules, &milliwatts); err != nil {
			continue // cut off at the end
		}
		w.looks = append(w.looks, look{time.Unix(0, wall), energy.Energy(millijoules) * energy.Millijoule, energy.Power(milliwatts) * energy.Milliwatt})
		if len(w.looks) == 1 {
			close(w.first)
		}
	}
}

// stop ends it and gives out what it has seen.
func (w *watcher) stop() []look {
	_ = w.stdin.Close() // that is what tells it to end
	_ = w.cmd.Wait()    // whatever its status, its lines count
	<-w.ended
	return w.looks
}

// counted returns the counter's energy between two moments, and how far it may be
// off because the counter moves in ticks: a tick's energy at either end.
func counted(looks []look, from, to time.Time) (e, bound energy.Energy, ok bool) {
	ticks := moves(looks)
	if len(ticks) < 2 || ticks[0].counter < 0 {
		return 0, 0, false
	}
	a, ua, oka := at(ticks, from)
	b, ub, okb := at(ticks, to)
	return b - a, ua + ub, oka && okb && b >= a
}

// moves returns the looks at which the counter had moved, the first left out: when
// it had moved to there is not known.
func moves(looks []look) (list []look) {
	for i := 1; i < len(looks); i++ {
		if looks[i].counter != looks[i-1].counter {
			list = append(list, looks[i])
		}
	}
	return list
}

// at interpolates between two ticks; half of what came between them is in doubt.
func at(ticks []look, t time.Time) (e, bound energy.Energy, ok bool) {
	i := sort.Search(len(ticks), func(i int) bool { return ticks[i].at.After(t) })
	if i == 0 || i == len(ticks) {
		return 0, 0, false
	}
	a, b := ticks[i-1], ticks[i]
	part := float64(t.Sub(a.at)) / float64(b.at.Sub(a.at))
	d := b.counter - a.counter
	return a.counter + energy.Energy(part*float64(d)), d / 2, true
}

// powered returns mean power times time, as one would with nvidia-smi.
func powered(looks []look, from, to time.Time) (energy.Energy, bool) {
	sum, n := energy.Power(0), energy.Power(0)
	for _, l := range looks {
		if !l.at.Before(from) && l.at.Before(to) && l.power >= 0 {
			sum += l.power
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	return (sum / n).For(to.Sub(from)), true
}
