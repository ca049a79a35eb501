package lab

// Abandon leaves the lab as a killed process would: machines running, lock gone.
func (l *Lab) Abandon() error { return l.lock.release() }
