package main

import (
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"greenagent/energy"
)

// trials is how often each load is measured on each board, by other phases of the
// sensor's ticks, other delays of the readings and other random loads.
const trials = 10

// result is a cell of the matrix: one load on one board, and of a load of several
// parties what one of them is charged.
type result struct {
	board, load string
	party       string // "" for the energy of the device
	length      time.Duration
	counter     bool // the board has one
	agent       score
	bound       score   // stated, beside that of the gain, in the trial that the agent's score is of
	inside      int     // trials in which the truth was within it
	published   int     // trials in which the truth was within the bound with the gain
	others      []score // of the methods compared, in the order of deviceMethods or shares
}

// score is the largest relative error of all trials, with its sign; NaN where a
// method has no figure.
type score float64

// none is the score of a method that has no figure.
var none = score(math.NaN())

func (s *score) take(got, want energy.Energy) bool {
	off := score(got.Joules()/want.Joules() - 1)
	if math.Abs(float64(off)) < math.Abs(float64(*s)) {
		return false
	}
	*s = off
	return true
}

// run measures every load on every board. Cells are independent of each other.
func run(in *testing.T, seed uint64, loads []load, on []board) ([]result, error) {
	folder := in.TempDir()
	type slot struct {
		results []result
		err     error
	}
	slots := make([]slot, len(on)*len(loads))
	work := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range work {
				b, l := on[i/len(loads)], loads[i%len(loads)]
				s := &slots[i]
				if !l.suits(&b) {
					continue
				}
				if s.results, s.err = cell(in, seed, b, l, filepath.Join(folder, strconv.Itoa(i))); s.err != nil {
					s.err = fmt.Errorf("%s, %s: %w", b.name, l.name, s.err)
				}
			}
		})
	}
	for i := range slots {
		work <- i
	}
	close(work)
	workers.Wait()
	var results []result
	for _, s := range slots {
		if s.err != nil {
			return nil, s.err
		}
		results = append(results, s.results...)
	}
	return results, nil
}

// cell measures a load on a board, trial by trial.
func cell(in *testing.T, seed uint64, b board, l load, folder string) (results []result, err error) {
	for number := range trials {
		t := newTrial(seed, b, l, number)
		figures := measure(in, t, folder)
		if !l.sharing {
			if number == 0 {
				results = []result{newResult(b, l, "", len(deviceMethods))}
			}
			want := t.truth()
			results[0].add(figures[0], want)
			for i, method := range deviceMethods {
				if e, ok := method.measure(t); ok {
					results[0].others[i].take(e, want)
				} else {
					results[0].others[i] = none
				}
			}
			continue
		}
		charged, err := divide(t)
		if err != nil {
			return nil, err
		}
		for k, party := range t.parties {
			if number == 0 {
				results = append(results, newResult(b, l, party, len(shares)))
			}
			want := t.truthOf(party)
			results[k].add(figures[k+1], want)
			for i := range charged {
				if charged[i] == nil {
					results[k].others[i] = none
					continue
				}
				results[k].others[i].take(charged[i][k], want)
			}
		}
	}
	return results, nil
}

func newResult(b board, l load, party string, others int) result {
	return result{
		board: b.name, load: l.name, party: party, length: l.length, counter: b.device.Sensor.Counter,
		others: make([]score, others),
	}
}

func (r *result) add(got figure, want energy.Energy) {
	off := max(got.energy-want, want-got.energy)
	if off <= got.bound {
		r.inside++
	}
	if off <= got.published {
		r.published++
	}
	if r.agent.take(got.energy, want) {
		r.bound = score(got.bound.Joules() / want.Joules())
	}
}
