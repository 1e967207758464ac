//go:build linux && cgo

package nvml

// Missing lists the functions that greenagent would use and this driver's library
// lacks, under their unversioned names. A driver older than a function does without
// what it tells.
func (l *Library) Missing() []string {
	l.desk.Lock()
	defer l.desk.Unlock()
	s := l.symbols
	var missing []string
	for _, f := range [...]struct {
		name string
		has  bool
	}{
		{"nvmlDeviceGetFieldValues", s.fieldValues},
		{"nvmlDeviceGetTotalEnergyConsumption", s.energy},
		{"nvmlDeviceGetPowerUsage", s.power},
		{"nvmlDeviceGetPowerManagementLimitConstraints", s.limits},
		{"nvmlDeviceGetEnforcedPowerLimit", s.limit},
		{"nvmlDeviceGetSamples", s.samples != nil},
		{"nvmlDeviceGetComputeRunningProcesses", s.compute != nil},
		{"nvmlDeviceGetGraphicsRunningProcesses", s.graphics != nil},
		{"nvmlDeviceGetMPSComputeRunningProcesses", s.mps != nil},
		{"nvmlDeviceGetProcessUtilization", s.utilization != nil},
		{"nvmlDeviceGetPerformanceState", s.performance},
		{"nvmlDeviceGetClockInfo", s.clocks},
		{"nvmlDeviceGetArchitecture", s.architecture},
		{"nvmlDeviceGetHandleByUUID", s.handleByUUID},
		{"nvmlDeviceGetMigMode", s.migMode != nil},
		{"nvmlGpmMigSampleGet", s.gpm.complete()},
	} {
		if !f.has {
			missing = append(missing, f.name)
		}
	}
	return missing
}
