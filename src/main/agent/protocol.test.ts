import {readFileSync} from 'node:fs';
import test from 'ava';
import {flags, frames, limits, magic, operations, steps, streams} from './protocol.ts';

const header = readFileSync(new URL('../../../flowey/guest-agent/source/protocol.h', import.meta.url), 'utf8');

/** Constants of the agent's header, by name. */
const constants = new Map(
	[...header.matchAll(/^\t([A-Z][A-Z_0-9]*) = (\d+),$/gm)].map(([, name, value]) => [name as string, Number(value)]),
);

const named = (prefix: string, values: object) =>
	Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value] as const);

test('both sides have the same numbers', (t) => {
	const ours = new Map<string, number>([
		...named('', limits),
		...named('', flags),
		...named('FRAME_', frames),
		...named('STREAM_', streams),
		...named('OPERATION_', operations),
		...steps.flatMap((name, step) => (name === undefined ? [] : [[`STEP_${name.toUpperCase()}`, step] as const])),
	]);
	t.deepEqual([...constants].sort(), [...ours].sort());
});

test('the greeting begins with what no frame header can have a part of', (t) => {
	t.is(magic.length, limits.MAGIC_SIZE);
	t.false(magic.includes(0));
	t.true(limits.MOST_PAYLOAD < 2 ** 16);
	t.regex(header, /#define MAGIC "openvmm-agent\/\\xfe\\xed"/);
	t.is(magic.toString('latin1'), 'openvmm-agent/\xfe\xed');
});
