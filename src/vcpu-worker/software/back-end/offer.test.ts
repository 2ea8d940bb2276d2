import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import test from 'ava';

/** Features that a guest finds only where they are asked for, on a host whose V8 has these flags. */
function onRequestWith(...flags: string[]): string {
	const module = new URL('offer.ts', import.meta.url).href;
	const program = `import {offer} from '${module}'; console.log(offer.onRequest.join(' '));`;
	const words = [...flags, '--import=tsx', '--input-type=module', '-e', program];
	return execFileSync(process.execPath, words, {encoding: 'latin1'}).trim();
}

test('x86-64-v3 is announced by default where the host multiplies and adds at once, and not where V8 may not use that', (t) => {
	const onlyAsked = 'avx avx2 f16c fma bmi1 bmi2';
	if (process.arch === 'x64') t.is(onRequestWith('--no-enable-fma3'), onlyAsked);
	const lacks = process.arch === 'x64' && !/^flags\s*:.* fma( |$)/m.test(readFileSync('/proc/cpuinfo', 'latin1'));
	t.is(onRequestWith(), lacks ? onlyAsked : '');
});
