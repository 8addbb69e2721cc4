package main

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// Where things run on a machine of two processors or more.
const (
	harnessCPU = 0
	targetCPU  = 1
)

// What the harness sets for itself: its own collections are to disturb little.
const (
	goGC  = "GOGC"
	ownGC = "400"
)

// pin puts this process on a processor of its own, by starting it anew: Go
// counts processors only once.
func pin() (pinned bool, err error) {
	const already = "WEIR_BENCH_PINNED"
	if os.Getenv(already) != "" {
		// It is the harness's own: targets collect garbage as they are shipped.
		return true, os.Unsetenv(goGC)
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil || runtime.NumCPU() < 2 {
		return false, nil
	}
	self, err := os.Executable()
	if err != nil {
		return false, err
	}
	args := append([]string{taskset, "-c", strconv.Itoa(harnessCPU), self}, os.Args[1:]...)
	return false, syscall.Exec(taskset, args, append(os.Environ(), already+"=1", goGC+"="+ownGC))
}
