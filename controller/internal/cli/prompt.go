package cli

import "context"

// askSecret asks for something that must not be shown, the live region out of the way. A Ctrl-C ends the wait at
// once, with the terminal as it was; what is typed after it is forgotten. The caller wipes what it gets.
func (a *app) askSecret(ctx context.Context, question string) (secret []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type reply struct {
		secret []byte
		err    error
	}
	replies := make(chan reply)
	a.view().Pause(func() {
		go func() {
			secret, err := a.Secret(question)
			select {
			case replies <- reply{secret, err}:
			case <-ctx.Done():
				clear(secret)
			}
		}()
		select {
		case got := <-replies:
			secret, err = got.secret, got.err
		case <-ctx.Done():
			err = ctx.Err()
			a.unasked.Store(true)
			a.showTyping()
		}
	})
	return secret, err
}

// showTyping has the terminal show again what is typed, where a question was left that hid it. The question may have
// hidden it only just now, so the end of rpctl does the same once more.
func (a *app) showTyping() {
	if a.unasked.Load() && a.Restore != nil {
		a.Restore()
	}
}
