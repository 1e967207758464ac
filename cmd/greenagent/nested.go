package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"greenagent/collector/procfs"
)

// ofOneRun are the flags of run that name one run or its files. A run inside a run
// has their environment variables from the run around it, to which they were given:
// honoured again they would have one record take the other's place.
var ofOneRun = []string{"json", "report-to", "run-id", "name"}

// around is the environment of the run that this process is part of, nil if there
// is none.
type around []string

// inherited reports whether a variable has its value from the run around.
func (a around) inherited(name string) bool {
	value, set := os.LookupEnv(name)
	return set && slices.Contains(a, name+"="+value)
}

// runAround looks for greenagent among the ancestors of this process. Which of its
// subcommands that is needs no look: only run starts processes.
func runAround(proc string) around {
	pid, err := self(proc)
	if err != nil {
		return nil
	}
	program, err := os.Stat(filepath.Join(proc, "self", "exe"))
	if err != nil {
		return nil
	}
	fs := procfs.New(proc)
	for range 128 { // a tree that changes meanwhile
		var p procfs.Process
		if fs.Read(pid, &p) != nil || p.PPID <= 0 {
			return nil
		}
		pid = p.PPID
		folder := filepath.Join(proc, strconv.Itoa(pid))
		// Another user's is not ours to read.
		if other, err := os.Stat(filepath.Join(folder, "exe")); err != nil || !os.SameFile(program, other) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, "environ"))
		if err != nil {
			continue
		}
		var environment around
		for variable := range bytes.SplitSeq(text, []byte{0}) {
			environment = append(environment, string(variable))
		}
		return environment
	}
	return nil
}
