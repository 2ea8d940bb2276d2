import {readFileSync} from 'node:fs';
import test from 'ava';
import {agentTargets, builtAgent, compileAgent, findCompiler} from './index.ts';

const isCi = process.env['CI'] !== undefined && process.env['CI'] !== 'false';

for (const target of agentTargets)
	test(`the committed agent for ${target.architecture} is what its sources give, byte for byte`, (t) => {
		const compiler = findCompiler(target);
		if (compiler === undefined) {
			t.log(`no compiler ${target.compiler} for it: npm run flowey guest-agent fetches it`);
			// Nobody watches a CI machine.
			t.false(isCi);
			return;
		}
		const built = readFileSync(builtAgent(target.architecture));
		t.true(compileAgent(compiler, target).equals(built), 'npm run flowey guest-agent, and commit what it writes');
	});

test('the agent is a static program without an interpreter, of which nothing is writable and executable', (t) => {
	for (const {architecture} of agentTargets) {
		const elf = readFileSync(builtAgent(architecture));
		t.is(elf.subarray(0, 4).toString('latin1'), '\x7fELF');
		const [start, size, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)];
		const segments = Array.from({length: count}, (_, i) => elf.subarray(start + i * size, start + (i + 1) * size));
		t.false(
			segments.some((segment) => [2, 3].includes(segment.readUInt32LE())),
			'PT_DYNAMIC, PT_INTERP',
		);
		t.false(
			segments.some((segment) => (segment.readUInt32LE(4) & 3) === 3),
			'PF_X and PF_W',
		);
		t.true(elf.length < 64 * 1024);
	}
});
