package meter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
)

// maxFailures is how many different failures of one feed are remembered.
const maxFailures = 8

// quietFor is how long the log keeps quiet about a failure after a word on it: one
// that comes and goes must not fill it.
const quietFor = time.Minute

// question is what a feed was asked when it failed.
type question uint8

const (
	earlier question = iota // by whoever measured before, in any question
	recalling
	reading
	observing
	ending
)

// failures remembers what went wrong, each message once with how often and for how
// long: a sensor that fails at every reading must not fill memory or the screen.
// What goes wrong is logged when it does, and when it is over.
type failures struct {
	log  *slog.Logger
	feed string
	list []failure
	more int
}

type failure struct {
	Failure
	asked  question
	since  energy.Instant // of the present spell, 0 once it is over
	logged energy.Instant // last, 0 never
	last   bool           // it was among the latest errors
}

// note takes the outcome of a question.
func (f *failures) note(asked question, err error, now energy.Instant) {
	for i := range f.list {
		f.list[i].last = false
	}
	for _, err := range each(err) {
		f.add(asked, err, now)
	}
	for i := range f.list {
		if k := &f.list[i]; k.since != 0 && !k.last && k.asked == asked {
			k.For += now.Sub(k.since)
			if k.logged >= k.since { // who was told that it failed
				f.tell(k, slog.LevelInfo, "works again", "after", now.Sub(k.since).Round(time.Millisecond))
			}
			k.since = 0
		}
	}
}

func (f *failures) add(asked question, err error, now energy.Instant) {
	message := err.Error()
	for i := range f.list {
		if k := &f.list[i]; k.Message == message && (k.asked == asked || k.asked == earlier) {
			k.asked = asked
			k.Count++
			k.last = true
			if k.since == 0 {
				k.since = now
				f.complain(k, err, now)
			}
			return
		}
	}
	if len(f.list) >= maxFailures {
		f.more++
		return
	}
	k := failure{Failure: Failure{Message: message, Count: 1}, asked: asked, since: now, last: true}
	for i := range f.list {
		if f.list[i].Message == message {
			k.logged = max(k.logged, f.list[i].logged)
		}
	}
	f.complain(&k, err, now)
	f.list = append(f.list, k)
}

func (f *failures) complain(k *failure, err error, now energy.Instant) {
	if k.logged != 0 && now.Sub(k.logged) < quietFor {
		return
	}
	level := slog.LevelWarn
	if errors.Is(err, nvml.ErrAsleep) {
		level = slog.LevelInfo // as it should be
	}
	f.tell(k, level, "cannot measure")
	k.logged = now
}

func (f *failures) tell(k *failure, level slog.Level, what string, more ...any) {
	if f.log != nil {
		f.log.Log(context.Background(), level, what, append([]any{"source", f.feed, "why", k.Message}, more...)...)
	}
}

// each takes apart what errors.Join has joined.
func each(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var texts []string
	var all []error
	for _, e := range joined.Unwrap() {
		texts = append(texts, e.Error())
		all = append(all, each(e)...)
	}
	if strings.Join(texts, "\n") != err.Error() {
		return []error{err} // a message of its own
	}
	return all
}

// state returns the failures as of an instant, each message once.
func (f *failures) state(now energy.Instant) []Failure {
	list := []Failure{}
	for _, k := range f.list {
		if k.since != 0 {
			k.For += max(0, now.Sub(k.since))
		}
		i := slices.IndexFunc(list, func(l Failure) bool { return l.Message == k.Message })
		if i < 0 {
			list = append(list, k.Failure)
			continue
		}
		list[i].Count += k.Count
		list[i].For = max(list[i].For, k.For)
	}
	return list
}

// resume goes on from failures of before.
func (f *failures) resume(list []Failure) {
	for _, k := range list {
		f.list = append(f.list, failure{Failure: k})
	}
}

// follow puts what went wrong before in front of what has gone wrong since.
func (f *failures) follow(before *failures) {
	since := f.list
	f.list, f.more = slices.Clone(before.list), before.more+f.more
	for _, k := range since {
		if len(f.list) < maxFailures {
			f.list = append(f.list, k)
		} else {
			f.more += k.Count
		}
	}
}

// words returns the failures in words.
func (f *failures) words(now energy.Instant) []string {
	const moment = 100 * time.Millisecond
	var list []string
	for _, k := range f.state(now) {
		m := f.feed + ": " + k.Message
		switch {
		case k.For >= moment:
			m += fmt.Sprintf(" (for %v)", k.For.Round(moment))
		case k.Count > 1:
			m += fmt.Sprintf(" (%d times)", k.Count)
		}
		list = append(list, m)
	}
	if f.more > 0 {
		list = append(list, fmt.Sprintf("%s: %d more failures", f.feed, f.more))
	}
	return list
}
