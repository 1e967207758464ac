// Package supervise starts one command transparently and waits for it. It
// knows nothing about energy but the clock.
//
// # The contract
//
// The command runs as it would without greenagent: same process group, session
// and terminal, same working directory, umask, environment, file descriptors,
// resource limits and signal dispositions. Its standard streams are greenagent's
// own descriptors, nothing is copied. What was found by execvp(3) is found here,
// and a command that cannot be started yields the status env(1) would give:
// 126 or 127, and 125 when greenagent itself is to blame.
//
// While the command runs, signals that arrive at greenagent are passed on, once
// each, to those processes of the run that share the command's process group:
// the command and its descendants, never the neighbours in a shell pipeline.
// Two kinds are not passed on because they have already arrived: SIGINT, SIGQUIT
// and SIGWINCH while greenagent's process group is the terminal's foreground
// group. Signals that greenagent inherited as ignored stay ignored by both (as
// after nohup). SIGTSTP, SIGTTIN and SIGTTOU are passed on and then stop
// greenagent too; SIGCONT wakes both. SIGPIPE is caught and dropped, so that a
// closed stderr ends greenagent's own output and not the measurement.
// SIGXCPU and SIGXFSZ stay where they are: they speak of greenagent's own limits.
//
// On Linux the calling process becomes a child subreaper (prctl(2)), so what the
// command double-forks stays found, and its CPU time is counted when it ends.
// Descendants that outlive the command are left alone; Survivors lists them.
//
// # What callers must know
//
// Between Start and the closing of Done every child of this process is waited
// for here: nobody else may use os/exec or syscall.Wait4 meanwhile, and only one
// command runs at a time.
//
// A background process that writes to a terminal with "stty tostop" set stops
// its whole group, the command included: ask Foreground before writing there.
//
// One difference from the bare command remains: an ignored SIGCHLD is reset, because
// greenagent could not wait otherwise. Without cgo there are more: a standard stream
// that was closed at the start is /dev/null, which the Go runtime opens before any
// code of ours runs, and some signals inherited as ignored or blocked are not.
//
// The reasons behind all this are in docs/adr/0004-process-group.md.
package supervise
