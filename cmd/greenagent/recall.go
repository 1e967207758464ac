package main

import (
	"os"
	"strings"
	"sync"
	"time"

	"greenagent/collector"
	"greenagent/meter"
	"greenagent/nvml"
	"greenagent/profile"
)

const (
	// recalling is how long GPUs wait for what was known of them before: a state
	// directory on a network may not answer, and nothing needs it.
	recalling = 50 * time.Millisecond
	// remembering is how long the end of a run waits until that is written down.
	remembering = 5 * time.Millisecond
)

// store is where profiles of GPUs are kept between runs.
func (p *program) store() profile.Store {
	if p.stateDir != "" {
		return profile.Open(p.stateDir)
	}
	return profile.Open(profile.StateDir(os.Getenv))
}

// recall begins to read what earlier runs have learnt of GPUs, and returns what is
// known of one: that, and what the configuration says of it.
func (p *program) recall() func(nvml.Device) collector.Known {
	read := make(chan []profile.Profile, 1)
	go func() {
		all, err := p.store().All()
		if err != nil {
			p.log.Debug("what was known of GPUs cannot be read", "why", err)
		}
		read <- all
	}()
	all := sync.OnceValue(func() []profile.Profile {
		select {
		case all := <-read:
			return all
		case <-time.After(recalling):
			p.log.Debug("what was known of GPUs is not read in time")
			return nil
		}
	})
	return func(d nvml.Device) (k collector.Known) {
		for _, known := range all() {
			if known.UUID == d.UUID && known.Driver == d.Driver {
				k = known.Known()
				p.log.Debug("known", "gpu", d.UUID, "counter tick", k.CounterTick, "power tick", k.PowerTick, "idle", k.Idle)
			}
		}
		k.Calibration = p.calibrations.of(d.UUID)
		return k
	}
}

// remember writes down what a run has found out about GPUs, where that is news. The
// channel is closed when it has; nobody needs to wait for that.
func (p *program) remember(learnt []meter.Learnt) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		store := p.store()
		for _, l := range learnt {
			if l.Domain.Type != collector.GPU {
				continue
			}
			if err := p.note(store, l); err != nil {
				p.log.Debug("what was learnt of a GPU is not kept", "domain", l.Domain.ID, "why", err)
			}
		}
	}()
	return done
}

func (p *program) note(store profile.Store, l meter.Learnt) error {
	found := profile.Learnt{Counter: l.Counter, Power: l.Power, Idle: l.Idle, IdleFor: l.IdleFor, IdleState: l.IdleState}
	if found == (profile.Learnt{}) {
		return nil
	}
	now := time.Now()
	uuid := strings.TrimPrefix(l.Domain.ID, gpus+":")
	known, err := store.Load(uuid, l.Domain.Driver)
	if err != nil { // absent, of another driver, or spoilt: learnt anew
		known = profile.New(uuid, l.Domain.Driver, l.Domain.Name, "", now)
	}
	if !known.Learn(found, now) {
		return nil
	}
	return store.Jot(known)
}
