import {execFileSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {inNameSpace, makeTap, mayInNameSpace} from '#devices/network/testing';

(mayInNameSpace(makeTap) ? test : test.skip)(
	"the kernel's TCP and ours tell each other everything, whatever of it is lost or swapped, by IPv4 and IPv6",
	(t) => {
		t.timeout(600_000);
		const script = fileURLToPath(new URL('testing/lossy-kernel.ts', import.meta.url));
		const words = inNameSpace('ip link set lo up && exec "$@"', process.execPath, '--import=tsx', script);
		const told = execFileSync('unshare', words, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']});
		const {results, wires, kernel, network} = JSON.parse(told);
		const wanted = {isSame: true, isWholeThere: true, isWholeHere: true, resets: ['ECONNRESET', 'ECONNRESET']};
		t.deepEqual(results, [wanted, wanted]);
		for (const {lost, swapped} of wires) t.true(lost > 0 && swapped > 0, told);
		t.true(kernel.repeated > 0 && kernel.outOfOrder > 0, told);
		t.true(network.repeated > 0, told);
		t.is(network.malformed, 0);
	},
);
