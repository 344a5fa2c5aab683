package broadcast_test

func serveIfTold() bool { return false }
