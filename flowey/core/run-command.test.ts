import {parseArgs} from 'node:util';
import test from 'ava';
import {type Command, FloweyError, runCommand} from './index.ts';

async function told(run: Command['run'], words: readonly string[], usage = '[--match TEXT]') {
	let text = '';
	const status = await runCommand({name: 'bench', usage, summary: '', run}, words, (part) => {
		text += part;
	});
	return {status, text};
}

const matching: Command['run'] = async (words) => {
	const {values} = parseArgs({args: [...words], options: {match: {type: 'string'}}});
	return values.match === 'x' ? 0 : 3;
};

test('wrong words are told with the usage, and have status 2', async (t) => {
	const remedy = '\n  remedy: It is: flowey bench [--match TEXT]\n';
	const refuse = (words: string[], why: string) =>
		told(matching, words).then((found) => t.deepEqual(found, {status: 2, text: `flowey: ${why}${remedy}`}));
	await refuse(['--nope'], "Unknown option '--nope'");
	await refuse(['x'], "Unexpected argument 'x'");
	await refuse(['--match'], "Option '--match <value>' argument missing");
	t.deepEqual(await told(matching, ['--match', 'x']), {status: 0, text: ''});
	const {status, text} = await told(async () => 0, ['x'], '');
	t.deepEqual([status, text], [2, "flowey: Unexpected argument 'x'\n  remedy: It is: flowey bench\n"]);
});

test('a failure with a remedy is told and has status 1, a mistake of the program is thrown', async (t) => {
	const failing = async () => {
		throw new FloweyError('No network', 'Connect.');
	};
	t.deepEqual(await told(failing, []), {status: 1, text: 'flowey: No network\n  remedy: Connect.\n'});
	const broken = async () => {
		throw new TypeError('no function');
	};
	await t.throwsAsync(told(broken, []), {instanceOf: TypeError});
});
