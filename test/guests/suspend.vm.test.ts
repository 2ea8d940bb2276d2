import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {complaints, linuxTest} from '#test/petri';
import {debianMachine} from './testing/api-machine.ts';

const owner = join(process.cwd(), 'test/guests/fixtures/suspended-owner.mjs');
/** How long the owner's process is stopped: this is what the test is about, and no wait for anything. */
const stoppedMs = 60_000;

/** The kernel's own limits are less than a minute: its watchdogs bark where nobody tells them that the guest stood still. */
const commandLine = ['cryptomgr.notests'];

interface Clocks {
	/** The host's, around the guest's answer, in milliseconds since 1970. */
	readonly before: number;
	readonly after: number;
	readonly said: string;
}

linuxTest(
	'a guest goes on after its process has been stopped for a minute, with the right time and no complaint',
	async (t) => {
		const options = debianMachine(t, {network: false, memory: '256M', commandLine});
		const child = spawn(process.execPath, [owner, JSON.stringify(options)], {stdio: ['pipe', 'pipe', 'inherit']});
		const over = once(child, 'exit');
		t.teardown(async () => {
			child.kill('SIGCONT');
			child.kill('SIGKILL');
			await over;
		});
		let output = '';
		child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
		const said = async (pattern: RegExp): Promise<string> => {
			for (;;) {
				const found = pattern.exec(output)?.[1];
				if (found !== undefined) return found;
				t.is(child.exitCode, null, output);
				await Promise.race([once(child.stdout, 'data'), over]);
			}
		};
		await said(/^before (.*)\n/m);
		await said(/^tick (3)\n/m);
		child.kill('SIGSTOP');
		await sleep(stoppedMs);
		const ticks = [...output.matchAll(/^tick (\d+)\n/gm)].length;
		child.kill('SIGCONT');
		await said(new RegExp(`^tick (${ticks + 20})\\n`, 'm'));
		child.stdin.write('\n');

		const {before, after, said: clocks} = JSON.parse(await said(/^after (.*)\n/m)) as Clocks;
		const dateMs = Number(clocks.split('\n')[0]) * 1000;
		t.true(
			dateMs >= before - 2000 && dateMs <= after + 1000,
			`the guest's date is right: ${before} ${after} ${clocks}`,
		);
		t.deepEqual(complaints(JSON.parse(await said(/^log (.*)\n/m)) as string), []);
		await over;
		t.is(child.exitCode, 0, output);
	},
);
