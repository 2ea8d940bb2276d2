import {spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {claimEntry} from '#main/control';
import {commands} from './commands.ts';
import {completionScripts} from './completion-scripts.ts';
import {flags} from './flags.ts';
import {completeWords} from './shell-completion.ts';
import {hasTerminals, showsOnTerminal} from './testing/new-terminal.ts';
import {openvmmLine} from './testing/run-openvmm.ts';

const lookups = {
	machines: async (which: 'running' | 'all') => (which === 'all' ? ['web', 'old'] : ['web']),
	images: async () => ['debian:12', 'alpine'],
};
const complete = async (line: string) => {
	const {words, files} = await completeWords(line.split(' '), commands(), flags, lookups);
	return [...words, ...(files ? ['FILES'] : [])];
};

test('commands and their parts', async (t) => {
	t.deepEqual(await complete('sto'), ['stop']);
	t.true((await complete('')).includes('run'));
	t.deepEqual(await complete('disk c'), ['check', 'commit', 'convert', 'create']);
	t.deepEqual(await complete('--hyper'), ['--hypervisor']);
});

test('names of machines and of images where they are wanted', async (t) => {
	t.deepEqual(await complete('stop '), ['web']);
	t.deepEqual(await complete('stop web '), ['web']);
	t.deepEqual(await complete('rm -f '), ['old', 'web']);
	t.deepEqual(await complete('inspect '), ['web']);
	t.deepEqual(await complete('run '), ['alpine', 'debian:12', 'FILES']);
	t.deepEqual(await complete('run -e A=b deb'), ['debian:12', 'FILES']);
	t.deepEqual(await complete('cp '), ['web:', 'FILES']);
	t.deepEqual(await complete('cp file w'), ['web:', 'FILES']);
});

test('flags of the command, and what they take', async (t) => {
	t.deepEqual(await complete('stop --t'), ['--time']);
	t.deepEqual(await complete('--hypervisor sof'), ['software']);
	t.deepEqual(await complete('-k '), ['FILES']);
	t.deepEqual(await complete('run --volume '), ['FILES']);
});

test('what is for the guest is not ours to complete, but for files', async (t) => {
	t.deepEqual(await complete('exec web --t'), ['FILES']);
	t.deepEqual(await complete('run debian:12 --r'), ['FILES']);
	t.deepEqual(await complete('run -- --r'), ['FILES']);
});

const withBash = spawnSync('bash', ['--version']).status === 0 ? test : test.skip;

withBash('bash completes by the script, machines that run too', async (t) => {
	const directory = mkdtempSync(join(tmpdir(), 'openvmm-completion-'));
	t.teardown(() => rmSync(directory, {recursive: true}));
	const script = join(directory, 'script');
	writeFileSync(script, `openvmm() { ${openvmmLine('"$@"')}; }\n${completionScripts['bash']}`);
	const inBash = (line: string) => {
		const said = `source ${script}; COMP_LINE="$1"; COMP_POINT=\${#1}; _openvmm; printf '%s\\n' "\${COMPREPLY[@]}"`;
		const env = {...process.env, XDG_RUNTIME_DIR: directory, XDG_CACHE_HOME: directory};
		return spawnSync('bash', ['-c', said, 'bash', line], {encoding: 'utf8', env}).stdout.trim().split('\n');
	};
	t.deepEqual(inBash('openvmm sto'), ['stop']);
	t.deepEqual(inBash(`openvmm cp ${directory}/scr`), [script]);
	const entry = await claimEntry({name: 'web'}, join(directory, `openvmm-${process.getuid?.()}`));
	t.deepEqual(inBash('openvmm stop w'), ['web']);
	t.deepEqual(inBash('openvmm cp we'), ['web:']);
	entry.end(0);
	t.deepEqual(inBash('openvmm completion '), ['bash', 'fish', 'zsh']);
});

/** A folder with a machine "web" that runs, and a shell's environment. */
function machines(t: ExecutionContext) {
	const directory = mkdtempSync(join(tmpdir(), 'openvmm-completion-'));
	t.teardown(() => rmSync(directory, {recursive: true}));
	const env = {...process.env, HOME: directory, XDG_RUNTIME_DIR: directory, XDG_CACHE_HOME: directory};
	return {directory, env, claim: () => claimEntry({name: 'web'}, join(directory, `openvmm-${process.getuid?.()}`))};
}

const withFish = spawnSync('fish', ['--version']).status === 0 ? test : test.skip;

withFish('fish completes by the script, where it is installed', async (t) => {
	const {directory, env, claim} = machines(t);
	const script = join(directory, 'script');
	writeFileSync(script, `function openvmm; ${openvmmLine('$argv')}; end\n${completionScripts['fish']}`);
	const entry = await claim();
	const inFish = (line: string) => {
		const said = `source ${script}; complete --do-complete ${JSON.stringify(line)}`;
		return spawnSync('fish', ['--no-config', '-c', said], {encoding: 'utf8', env}).stdout.trim().split('\n');
	};
	t.deepEqual(inFish('openvmm sto'), ['stop']);
	t.deepEqual(inFish('openvmm stop w'), ['web']);
	t.deepEqual(inFish('openvmm cp we'), ['web:']);
	t.deepEqual(inFish('openvmm completion '), ['bash', 'fish', 'zsh']);
	t.deepEqual(inFish(`openvmm cp ${directory}/scr`), [script]);
	entry.end(0);
});

const withZsh = hasTerminals && spawnSync('zsh', ['--version']).status === 0 ? test : test.skip;

withZsh('zsh completes by the script on a terminal, where it is installed', async (t) => {
	const {directory, claim} = machines(t);
	writeFileSync(
		join(directory, '.zshrc'),
		`PS1='ready> '; bindkey -e; autoload -U compinit; compinit -u -D\nopenvmm() { ${openvmmLine('"$@"')}; }\n${completionScripts['zsh']}`,
	);
	const entry = await claim();
	const shell = `export ZDOTDIR=${directory} HOME=${directory} XDG_RUNTIME_DIR=${directory} XDG_CACHE_HOME=${directory} TERM=dumb; exec zsh -d -i`;
	// The shell shows what it adds alone; the whole line is what echo says of it.
	const shown = await showsOnTerminal(shell, [
		['ready> ', 'openvmm cp we\t'],
		['b:', 'x\x01echo \r'],
		['\nopenvmm cp web:x\r', 'openvmm stop w\t'],
		['eb', '\x01echo \r'],
		['\nopenvmm stop web\r', 'exit\r'],
	]);
	t.regex(shown, /\nopenvmm stop web\r/);
	entry.end(0);
});
