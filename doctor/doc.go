// Package doctor examines a machine: what of it greenagent can measure, what it
// has to model, what is missing, why, and the one command that mends it.
//
// Examine looks; judging what it saw is plain functions of plain values. Each
// finding is a Check with an id that stays the same between releases, listed by
// Kinds. It needs no privileges, writes nothing, and comes back: whatever a
// driver, a firmware or a file system in user space leaves unanswered is left
// behind after Options.Timeout, and reported.
package doctor
