package procfs

import "strconv"

func appendUint(dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }

// fields walks over blank-separated decimal numbers. It remembers the first
// failure, so that a line is read field by field and checked once.
type fields struct {
	rest []byte
	bad  bool
}

// next returns the next field, empty at the end of the line.
func (f *fields) next() []byte {
	i := 0
	for i < len(f.rest) && f.rest[i] == ' ' {
		i++
	}
	j := i
	for j < len(f.rest) && f.rest[j] != ' ' && f.rest[j] != '\n' {
		j++
	}
	field := f.rest[i:j]
	f.rest = f.rest[j:]
	return field
}

func (f *fields) skip(n int) {
	for range n {
		f.next()
	}
}

// unsigned reads a field of the kernel's unsigned kinds.
func (f *fields) unsigned() uint64 {
	v, ok := parseUint(f.next())
	f.bad = f.bad || !ok
	return v
}

// signed reads a field that may be negative, as tty, tpgid and cutime may.
func (f *fields) signed() int64 {
	field := f.next()
	negative := len(field) > 0 && field[0] == '-'
	if negative {
		field = field[1:]
	}
	v, ok := parseUint(field)
	if !ok || v > 1<<63-1 {
		f.bad = true
		return 0
	}
	if negative {
		return -int64(v)
	}
	return int64(v)
}

// ticks reads a clock_t, which the kernel prints signed for the children's
// times; a negative one is none.
func (f *fields) ticks() Ticks { return Ticks(max(0, f.signed())) }

// parseUint reads decimal digits and nothing else; it reports false for
// anything else and for what does not fit.
func parseUint(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	var v uint64
	for _, c := range b {
		c -= '0'
		if c > 9 || v > (1<<64-1-uint64(c))/10 {
			return 0, false
		}
		v = v*10 + uint64(c)
	}
	return v, true
}

// parsePID reads a process id; the kernel's limit is 2^22 (PID_MAX_LIMIT).
func parsePID(b []byte) (int, bool) {
	v, ok := parseUint(b)
	if !ok || v > 1<<31-1 || (len(b) > 1 && b[0] == '0') {
		return 0, false
	}
	return int(v), true
}
