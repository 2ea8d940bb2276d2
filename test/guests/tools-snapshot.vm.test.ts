import {createHash, randomBytes} from 'node:crypto';
import {createServer, type ServerResponse} from 'node:http';
import {join} from 'node:path';
import {VM} from '#main/api';
import {endsWith, onBackEnd, testFolder} from './testing/api-machine.ts';
import {leadsTo, onLoopback, serverAddress} from './testing/host-network.ts';
import {kernelComplaint, toolsDisk, toolsMachine, toolsTest} from './testing/tools-machine.ts';

const content = randomBytes(4_000_000);
const half = content.length / 2;
const digest = createHash('sha256').update(content).digest('hex');
/** Curl's CURLE_RECV_ERROR: the connection was reset amid the transfer. */
const curlRecvError = 56;

toolsTest(
	'a machine saved amid a download goes on with it, and one restored from there hears of a reset and downloads anew',
	async (t) => {
		const held: ServerResponse[] = [];
		const server = createServer((request, response) => {
			response.writeHead(200, {'content-length': content.length});
			if (request.url === '/whole') return void response.end(content);
			response.write(content.subarray(0, half));
			held.push(response);
		});
		const network = {connect: leadsTo({80: await onLoopback(t, server)})};
		const vm = await toolsMachine(t, {network});
		const download = (path: string, name: string) =>
			`curl -sS -N -o /tmp/${name} http://${serverAddress}${path} 2>/tmp/${name}.error; echo $? >/tmp/${name}.new; mv /tmp/${name}.new /tmp/${name}.status`;
		const ended = (name: string) =>
			`until [ -e /tmp/${name}.status ]; do sleep 0.1; done; cat /tmp/${name}.status; sha256sum </tmp/${name} | cut -c -64`;
		const whole = `0\n${digest}\n`;

		await vm.exec(`(${download('/held', 'held')}) >/dev/null 2>&1 &`, {check: true});
		await vm.exec(`until [ "$(stat -c %s /tmp/held 2>/dev/null)" = ${half} ]; do sleep 0.1; done`);
		const saved = join(testFolder(t, 'download'), 'saved');
		await vm.snapshot(saved);
		const [response] = held;
		t.is(held.length, 1);
		response?.end(content.subarray(half));
		t.is((await vm.exec(ended('held'))).stdout, whole, 'the machine that was saved goes on');
		t.is((await vm.exec(`${download('/whole', 'again')}; ${ended('again')}`)).stdout, whole);
		t.is(await kernelComplaint(vm), '');
		await vm[Symbol.asyncDispose]();

		const restored = endsWith(t, await VM.restore(saved, {network, image: toolsDisk, ...onBackEnd}));
		const broken = await restored.exec(ended('held'));
		t.is(broken.stdout.split('\n')[0], `${curlRecvError}`, await restored.files.readText('/tmp/held.error'));
		t.regex(await restored.files.readText('/tmp/held.error'), /reset by peer/);
		t.is((await restored.exec(`${download('/whole', 'again')}; ${ended('again')}`)).stdout, whole);
		t.is(held.length, 1, 'nobody has asked for it again');
		t.is(await kernelComplaint(restored), '');
	},
);
