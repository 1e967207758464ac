package procfs

import "bytes"

// AppendCommand appends at most limit bytes of the process's command line to
// dst, with blanks between the arguments. It is empty for kernel threads and
// zombies, and like Comm it is whatever the process wants it to be. It returns
// ErrGone if there is no such process.
func (fs *FS) AppendCommand(dst []byte, pid, limit int) ([]byte, error) {
	fs.atProcess(pid, "/cmdline")
	text, _, err := fs.read(max(0, limit))
	if err != nil {
		return dst, fs.processError(err)
	}
	text = bytes.TrimRight(text, "\x00")
	start := len(dst)
	dst = append(dst, text...)
	for i := start; i < len(dst); i++ {
		if dst[i] == 0 {
			dst[i] = ' '
		}
	}
	return dst, nil
}
