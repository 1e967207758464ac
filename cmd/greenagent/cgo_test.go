//go:build linux && cgo

package main

const withCgo = true
