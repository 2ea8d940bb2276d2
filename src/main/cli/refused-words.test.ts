import {spawn} from 'node:child_process';
import {text} from 'node:stream/consumers';
import test from 'ava';
import {clockPolicies} from '#main/config';
import {flags} from './flags.ts';

const wrong: [words: string, error: RegExp][] = [
	['--clock continue', /--clock needs --restore-snapshot DIR.*\[CLI_FLAG_NEEDS\]/],
	['restore nowhere --clock sideways', /--clock.*sideways.*\[CONFIG_VALUE_INVALID\]/],
	['restore nowhere --clones 2 --clock', /--clock needs a value.*\[CLI_VALUE_MISSING\]/],
	['restore nowhere --clones 2 --pidfile p', /--pidfile conflicts with --clones.*\[CLI_FLAGS_CONFLICT\]/],
	['resume web --clock sideways', /--clock.*sideways.*\[CONFIG_VALUE_INVALID\]/],
	['pause --clock continue', /no flag --clock.*\[CLI_FLAG_UNKNOWN\]/],
];
for (const [words, error] of wrong) {
	test(`openvmm ${words} is a line and status 2`, async (t) => {
		const command = ['src/main/cli/main.ts', ...words.split(' ')];
		const child = spawn(process.execPath, command, {stdio: ['ignore', 'ignore', 'pipe']});
		const [stderr] = await Promise.all([text(child.stderr), new Promise((resolve) => child.once('close', resolve))]);
		t.regex(stderr, error);
		t.is(stderr.trimEnd().split('\n').length, 1);
		t.is(child.exitCode, 2);
	});
}

test('the flag takes the policies that there are', (t) => {
	t.like(
		flags.find(({name}) => name === 'clock'),
		{choices: [...clockPolicies], default: 'catch-up'},
	);
});
