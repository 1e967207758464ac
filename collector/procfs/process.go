package procfs

import "bytes"

// Process is what /proc/<pid>/stat says of a process.
type Process struct {
	ID
	PPID    int // 0 for the first process and where the parent is in another PID namespace
	PGRP    int
	Session int
	State   State
	Threads int

	// CPU time of all the process's threads, those that ended included.
	User, System Ticks
	// CPU time of the children that ended and were waited for, with theirs:
	// the only trace of processes that live shorter than the time between
	// two looks.
	ChildUser, ChildSystem Ticks

	// RSS is the resident memory in bytes. The kernel keeps it in per-thread
	// parts and may be off by some hundred kilobytes (proc(5)).
	RSS int64

	Comm Comm
}

// Busy returns the CPU time of the process itself.
func (p *Process) Busy() Ticks { return p.User + p.System }

// State is the letter of a process's state.
type State byte

// The states a meter asks about; proc(5) has the others.
const (
	Running State = 'R'
	Zombie  State = 'Z'
	Dead    State = 'X'
)

// Ended reports whether the process will not use any more CPU time.
func (s State) Ended() bool { return s == Zombie || s == Dead }

// String returns the letter.
func (s State) String() string { return string(rune(s)) }

// Comm is the name of a process: any bytes but NUL, as the process itself
// chooses them. Whoever prints it must expect escape sequences. It is a value,
// so that reading a process allocates nothing.
type Comm struct {
	length uint8
	bytes  [64]byte // the kernel's longest, for its workers: see proc_task_name
}

// MakeComm returns the name s, cut to what the kernel would keep.
func MakeComm(s string) Comm {
	var c Comm
	c.length = uint8(copy(c.bytes[:], s))
	return c
}

// String returns the name as it is.
func (c Comm) String() string { return string(c.bytes[:c.length]) }

// AppendTo appends the name to dst.
func (c *Comm) AppendTo(dst []byte) []byte { return append(dst, c.bytes[:c.length]...) }

func (c *Comm) set(name []byte) { c.length = uint8(copy(c.bytes[:], name)) }

// Read fills dst from /proc/<pid>/stat. It returns ErrGone if there is no such
// process (or none that hidepid lets us see); dst is then as it was.
func (fs *FS) Read(pid int, dst *Process) error {
	text, err := fs.readProcess(pid, "/stat")
	if err != nil {
		return err
	}
	p, ok := parseProcess(text, fs.page)
	if !ok || p.PID != pid {
		return fs.fail(ErrMalformed)
	}
	*dst = p
	return nil
}

// parseProcess reads a line such as "42 (a) name) S 1 42 …". The name is not
// escaped, and may contain parentheses, blanks and newlines: it ends at the
// last ')', as every field behind it is a number or a letter.
func parseProcess(text []byte, page int64) (p Process, ok bool) {
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 2 || end < open || text[open-1] != ' ' {
		return p, false
	}
	if p.PID, ok = parsePID(text[:open-1]); !ok || p.PID == 0 {
		return p, false
	}
	p.Comm.set(text[open+1 : end])
	// proc(5)'s numbers of the fields stand at the right.
	f := fields{rest: text[end+1:]}
	state := f.next()             // 3
	p.PPID = int(f.signed())      // 4
	p.PGRP = int(f.signed())      // 5
	p.Session = int(f.signed())   // 6
	f.skip(7)                     // 7 … 13: tty, flags, faults
	p.User = f.ticks()            // 14
	p.System = f.ticks()          // 15
	p.ChildUser = f.ticks()       // 16
	p.ChildSystem = f.ticks()     // 17
	f.skip(2)                     // 18, 19: priority, nice
	p.Threads = int(f.signed())   // 20
	f.skip(1)                     // 21: itrealvalue
	p.Start = Ticks(f.unsigned()) // 22
	f.skip(1)                     // 23: vsize
	pages := f.signed()           // 24
	if f.bad || len(state) != 1 || pages < 0 || pages > (1<<63-1)/page || p.PPID < 0 {
		return p, false
	}
	p.State = State(state[0])
	p.RSS = pages * page
	return p, true
}
