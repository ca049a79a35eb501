package proto

// HostConfig is what a host enforces, and what hosts.toml says that it should:
// the two are compared field by field, and a difference is shown and refused.
type HostConfig struct {
	Environment string      `json:"environment"`
	Application Application `json:"application"`
	// Workers are the unit patterns that may be restarted here, in the order of the file.
	Workers []UnitPattern `json:"workers"`
	// Look and Act are the groups whose members may read state, and may change it.
	Look []string `json:"look"`
	Act  []string `json:"act"`
}

// Application is the Symfony application on a host, in Deployer's layout:
// Path holds releases/N and current.
type Application struct {
	Path string `json:"path"`
	User string `json:"user"`
}
