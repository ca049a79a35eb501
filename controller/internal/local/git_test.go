package local

import "testing"

func TestGitsWordsHaveNoSecret(t *testing.T) {
	var said bounded
	_, _ = said.Write([]byte("remote: hello\nfatal: unable to access 'https://alice:hush@git.example/rp/': no\n"))
	if got := said.last(); got != "unable to access 'https://[hidden]@git.example/rp/': no" {
		t.Errorf("%q", got)
	}
}
