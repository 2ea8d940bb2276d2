import test from 'ava';
import {apiError} from './errors.ts';

const said = (console: string) =>
	apiError('VM_START_ENDED', {name: 'it', end: {kind: 'reset-loop', resets: 1}, console}).message;

test('of what a console has said the end is shown, and the reason of a panic that lies before it', (t) => {
	t.regex(said(' \r\n'), /Its console has shown nothing$/);
	t.is(said('one\r\ntwo\r\n').split('\n').slice(1).join('|'), 'one|two');
	const trace = 'x'.repeat(1999);
	for (const before of [0, 10, 5000]) {
		const text = `Kernel panic - first\n${'y'.repeat(before)}\n[1] Kernel panic - not \u001b[2Jsyncing\n${trace}\n`;
		t.regex(said(text), /Its console at last:\n\[1\] Kernel panic - not \?\[2Jsyncing\n…\n.?x+$/s);
	}
	// A guest may write no line feed at all, and as much as is kept: nothing here may take longer than that is.
	t.regex(said('x'.repeat(2 ** 20)), /at last:\nx{2000}$/);
	t.regex(said(`Kernel panic - why\n${trace.slice(100)}`), /at last:\nKernel panic - why\nx+$/);
});
