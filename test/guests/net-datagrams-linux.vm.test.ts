import {createHash, randomBytes} from 'node:crypto';
import {createServer, type Socket} from 'node:net';
import type {ExecutionContext} from 'ava';
import {udpServer} from '#devices/network/user/testing';
import {flagged, hearButton, linuxTest, pressed, runInLinux, until, untilThere} from '#test/petri';
import {freePorts, onLoopback} from './testing/host-network.ts';
import {echoed, udpAskProgram, udpEchoProgram} from './testing/udp-programs.ts';

const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');
const prefix6 = 'fd4f:7065:6e56::';
/** What the guest makes of its NIC's address (RFC 4862, 5.5.3), and the gateway's, as bytes. */
const own6 = `${prefix6}ff:fe00:1`;
const gateways = {
	four: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1),
	six: Uint8Array.of(0xfd, 0x4f, 0x70, 0x65, 0x6e, 0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
};
/** One that fits a frame, and in pieces: some, and as many as there can be (RFC 791, 3.1, behind the headers). */
const sizes = [1000, 8192, 65_507];

const body = randomBytes(2 * 2 ** 20);
/** Bytes a second, and what the body takes at least at that rate, in milliseconds, but for a tenth of a second's for which there are tokens, and a frame that owes. */
const [rate, leastMs] = [800_000, 2000];

/**
 * A server that takes a body of who says `up`, and gives one to who says `down`, and counts for how long: from before it lets them begin until it has
 * all, or is told of it.
 */
async function serve(t: ExecutionContext) {
	const took: Record<string, number> = {};
	const uploads: string[] = [];
	let begun = 0;
	const takeAll = (socket: Socket) => {
		const parts: Buffer[] = [];
		let left = body.length;
		socket.on('data', (bytes: Buffer) => {
			parts.push(bytes);
			left -= bytes.length;
			if (left > 0) return;
			took['up'] = performance.now() - begun;
			uploads.push(md5(Buffer.concat(parts)));
			socket.end();
		});
	};
	const port = await onLoopback(
		t,
		createServer((socket) => {
			socket.once('data', (bytes) => {
				const asked = `${bytes}`.trim();
				if (asked === 'over') {
					took['down'] = performance.now() - begun;
					socket.end('heard\n');
					return;
				}
				begun = performance.now();
				if (asked === 'down') socket.end(body);
				else {
					takeAll(socket);
					socket.write('go\n');
				}
			});
		}),
	);
	return {port, took, uploads};
}

const program = (bytes: Uint8Array, name: string) =>
	`echo ${Buffer.from(bytes).toString('base64')} | base64 -d >/${name} && chmod +x /${name}`;

linuxTest(
	"datagrams in pieces, a NIC's limits and another address of its, by the user-mode network",
	async (t, machine) => {
		const server = await serve(t);
		const echo = await udpServer(t, (message) => message);
		const [port4, port6, portTcp] = (await freePorts(3)) as [number, number, number];
		const forwards = [
			`guestfwd=tcp::80-127.0.0.1:${server.port},guestfwd=udp::7-127.0.0.1:${echo.port}`,
			`hostfwd=udp:127.0.0.1:${port4}-:7,hostfwd=udp:127.0.0.1:${port6}-[${own6}]:7,hostfwd=tcp:127.0.0.1:${portTcp}-:7`,
		];
		const devices = flagged({'virtio-net': [`consomme,${forwards.join()},ipv6=on,mac=02:00:00:00:00:01`]});
		const kind = 'virtio-net-mmio';
		const ask = (family: keyof typeof gateways, size: number) => [
			`head -c ${size} /dev/urandom >/asked`,
			// A network may lose a datagram.
			`${until(`timeout 60 /${family} </asked >/answered`)}; cmp /asked /answered && echo ${family}-${size}=same`,
		];
		/** Sends what it has got, once it may and has done something else. */
		const upload = (first: string, heard: string) =>
			`(echo up; ${until(`[ -s ${heard} ]`)}; ${first}; cat /f) | nc 10.0.0.1 80 >${heard}`;
		const guest = await runInLinux(machine, {processors: {count: 2}, devices}, [
			`dmesg -c >/dev/null; modprobe -a virtio_mmio virtio_net; ${hearButton}; mkdir -p /w`,
			untilThere('/sys/class/net/eth0'),
			'ip link set lo up; ip link set eth0 up; ip addr add 10.0.0.2/24 dev eth0; ip route add default via 10.0.0.1',
			until(`ip addr show dev eth0 | grep 'inet6 ${own6}/64 scope global' | grep -qv tentative`),
			program(udpEchoProgram(7), 'udp-echo'),
			...Object.entries(gateways).map(([family, address]) => program(udpAskProgram(address, 7), family)),
			'echo page >/w/page; httpd -p 7 -h /w; /udp-echo & echo listening=yes',
			...(['four', 'six'] as const).flatMap((family) => sizes.flatMap((size) => ask(family, size))),
			'echo asked=all',
			until(pressed(1)),
			'echo down | nc 10.0.0.1 80 >/f; echo over | nc 10.0.0.1 80; echo down=$(md5sum </f | cut -c -32)',
			upload('true', '/go'),
			'echo limited=both',
			until(pressed(2)),
			`echo down | nc 10.0.0.1 80 >/g & download=$!; ${until('[ -s /g ]')}; echo amid=now`,
			'wait $download; echo free=$(md5sum </g | cut -c -32)',
			until(pressed(3)),
			upload('ip link set eth0 address 02:00:00:00:00:aa', '/again'),
			'echo moved=yes',
			until(pressed(4)),
			"dmesg | grep -v OPENVMM_RUN | grep -E 'virtio|csum|WARNING: CPU|BUG:|Call Trace'",
			'echo all=done; sleep 10000',
		]);
		const said = (line: string) => t.regex(guest.output, new RegExp(`^${line}\\r?$`, 'm'), `${line}: ${guest.output}`);
		const echoes = async (few: readonly number[]) => {
			for (const port of [port4, port6])
				for (const size of few) {
					const asked = randomBytes(size);
					t.is(md5(await echoed(t, port, asked)), md5(asked), `${port} ${size}`);
				}
		};
		const limit = async (limits: Readonly<Record<string, number>>) => {
			for (const [name, value] of Object.entries(limits))
				await guest.vm.update(`vm/devices/${kind}/limits/${name}`, `${value}`);
		};

		await guest.waitFor(/^asked=all/m);
		for (const family of ['four', 'six']) for (const size of sizes) said(`${family}-${size}=same`);
		await echoes(sizes);

		await limit({bps_rx: rate, bps_tx: rate});
		await guest.vm.powerButton();
		await guest.waitFor(/^limited=both/m);
		said(`down=${md5(body)}`);
		t.deepEqual(server.uploads, [md5(body)]);
		for (const [way, ms] of Object.entries(server.took)) t.true(ms >= leastMs, `${way} took ${ms} ms`);
		t.deepEqual(Object.keys(server.took).toSorted(), ['down', 'up']);

		// At that rate it would take half an hour.
		await limit({bps_rx: 1000, bps_tx: 0});
		await guest.vm.powerButton();
		await guest.waitFor(/^amid=now/m);
		t.notRegex(guest.output, /^free=/m);
		await limit({bps_rx: 0});
		await guest.waitFor(/^free=/m);
		said(`free=${md5(body)}`);

		await guest.vm.powerButton();
		await guest.waitFor(/^moved=yes/m);
		t.deepEqual(server.uploads, [md5(body), md5(body)], 'a connection from before the change goes on');
		t.regex(await (await fetch(`http://127.0.0.1:${portTcp}/page`)).text(), /^page/);
		await echoes([1000, 8192]);

		await guest.vm.powerButton();
		await guest.waitFor(/^all=done/m);
		t.notRegex(guest.output, /csum|WARNING: CPU|BUG:|Call Trace|virtio.*(fail|error|bogus)/i);
		t.is(Number(await guest.inspect(`vm/devices/${kind}/consomme/malformed`)), 0);
	},
);
