/** Kernel tracing of KVM's guest entries (Documentation/trace/events.rst), for what must be timed from outside. */
import {execFileSync} from 'node:child_process';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

const folder = '/sys/kernel/tracing';
const event = join(folder, 'events/kvm/kvm_entry');

const write = (path: string, text: string) => writeFileSync(join(folder, path), text);

/** Makes tracing ready. Needs root. @throws Error that says what is missing */
export function prepareTracing(): void {
	if (!existsSync(join(folder, 'trace'))) execFileSync('mount', ['-t', 'tracefs', 'tracefs', folder]);
	if (!existsSync(event)) throw new Error('This kernel has no kvm_entry trace event. Load the module kvm.');
	// The same clock as process.hrtime.
	write('trace_clock', 'mono');
}

/** Forgets what was recorded and records the next guest entry, of whatever process. */
export function armFirstEntry(): void {
	write('tracing_on', '0');
	write('trace', '');
	write('events/kvm/kvm_entry/trigger', '!traceoff:1\n');
	write('events/kvm/kvm_entry/trigger', 'traceoff:1');
	write('events/kvm/kvm_entry/enable', '1');
	write('tracing_on', '1');
}

/** Gives the time of the recorded entry, in milliseconds of process.hrtime's clock; undefined before it. */
export function firstEntryMs(): number | undefined {
	const match = /\s(\d+\.\d+): kvm_entry:/.exec(readFileSync(join(folder, 'trace'), 'utf8'));
	return match?.[1] === undefined ? undefined : Number(match[1]) * 1000;
}

/** Leaves nothing switched on. */
export function endTracing(): void {
	write('events/kvm/kvm_entry/enable', '0');
	write('tracing_on', '1');
}
