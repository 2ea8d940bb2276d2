import {createHash, randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {connect as connectTo, createServer, type Socket} from 'node:net';
import {buffer} from 'node:stream/consumers';
import type {ExecutionContext} from 'ava';
import type {VM, VmProcess} from '#main/api';
import {testVm} from '#main/test-machine';
import {linuxTest} from '#test/petri';
import {debianMachine} from './testing/api-machine.ts';
import {freePorts, leadsTo, onLoopback, serverAddress} from './testing/host-network.ts';

const count = 100;
const numbers = Array.from({length: count}, (_, index) => index + 1);
const content = randomBytes(20_000);
const digestOf = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

/** A server that answers none before all have said what they have to say, so that all are there at once: each by its digest. */
async function serve(t: ExecutionContext): Promise<number> {
	const all = Promise.withResolvers<void>();
	let waiting = 0;
	const serveOne = async (socket: Socket) => {
		const said = await buffer(socket);
		waiting++;
		if (waiting === count) all.resolve();
		await all.promise;
		socket.end(digestOf(said));
	};
	return onLoopback(
		t,
		createServer({allowHalfOpen: true}, (socket) => void serveOne(socket).catch(() => socket.destroy())),
	);
}

/** Opens a connection to each of these servers of echoes before it ends any; returns what came back by each. */
async function echoes(t: ExecutionContext, ports: readonly number[]): Promise<readonly string[]> {
	const sockets = ports.map((port) => connectTo({host: '127.0.0.1', port, allowHalfOpen: true}));
	t.teardown(() => {
		for (const socket of sockets) socket.destroy();
	});
	await Promise.all(
		sockets.map(async (socket, index) => {
			socket.write(`${numbers[index]}\n`);
			await once(socket, 'readable');
		}),
	);
	for (const socket of sockets) socket.end(content);
	return Promise.all(sockets.map(async (socket) => digestOf(await buffer(socket))));
}

/** Servers of echoes, each for one connection: those of busybox keep few waiting. */
const serveEchoes = `for n in $(seq ${count}); do nc -l -p $((1000 + n)) -e /bin/busybox cat & done
	until [ $(netstat -tln | grep -c ':1[01][0-9][0-9] ') = ${count} ]; do sleep 0.1; done; echo listening; wait`;

async function startEchoes(vm: VM): Promise<VmProcess> {
	const servers = await vm.spawn(serveEchoes);
	for await (const said of servers.stdout) if (Buffer.from(said).includes('listening')) break;
	return servers;
}

const expected = numbers.map((number) => digestOf(Buffer.concat([Buffer.from(`${number}\n`), content])));

linuxTest(`${count} connections at once from the guest, to it by its network, and to it by its agent`, async (t) => {
	const hostPorts = await freePorts(count);
	const connect = leadsTo({9: await serve(t)});
	const hostForwards = hostPorts.map(
		(hostPort, index) => ({protocol: 'tcp', hostAddress: '127.0.0.1', hostPort, guestPort: 1001 + index}) as const,
	);
	const vm = await testVm(t, debianMachine(t, {network: {connect, hostForwards}, files: {'/tmp/content': content}}));

	const from = await vm.exec(
		`for n in $(seq ${count}); do (echo $n; cat /tmp/content) | nc ${serverAddress} 9 >/tmp/answer.$n & done; wait
		for n in $(seq ${count}); do cat /tmp/answer.$n; echo; done`,
		{check: true},
	);
	t.deepEqual(from.stdout.trimEnd().split('\n'), expected, `from the guest: ${from.stderr}`);

	await using byNetwork = await startEchoes(vm);
	t.deepEqual(await echoes(t, hostPorts), expected, 'to the guest by its network');
	await byNetwork.exited;
	await using byAgent = await startEchoes(vm);
	const forwards = await Promise.all(numbers.map((number) => vm.forward(0, 1000 + number)));
	const agentPorts = forwards.map(({port}) => port);
	t.deepEqual(await echoes(t, agentPorts), expected, 'to the guest by its agent');
	await byAgent.exited;
	t.is((await vm.exec("dmesg | grep -E 'WARNING: CPU|BUG:|Call Trace|csum'")).stdout, '');
});
