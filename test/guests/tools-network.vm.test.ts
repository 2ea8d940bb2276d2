import {execFileSync, spawn} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {readFileSync, writeFileSync} from 'node:fs';
import {createServer, type IncomingMessage, request, type ServerResponse} from 'node:http';
import {join} from 'node:path';
import {buffer} from 'node:stream/consumers';
import type {VM} from '#main/api';
import {makeMirror, makeSigner, serveMirror} from '#main/mirror/testing';
import {findProgram} from '#test/incubator';
import {testFolder} from './testing/api-machine.ts';
import {freePort, leadsTo, onLoopback, serverAddress} from './testing/host-network.ts';
import {kernelComplaint, toolsMachine, toolsTest} from './testing/tools-machine.ts';

const content = randomBytes(3_000_000);
const digestOf = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

/** Waits until a program of the guest listens at a port, and tells of one that does not go on. */
const untilListening = (vm: VM, port: number, pid: number) => {
	const hexadecimal = port.toString(16).padStart(4, '0').toUpperCase();
	const isThere = `cat /proc/net/tcp /proc/net/tcp6 | grep -q ':${hexadecimal} 0*:0000 0A'`;
	return vm.exec(`until ${isThere}; do kill -0 ${pid} || exit 1; sleep 0.1; done`, {check: true});
};

toolsTest('curl fetches from a server of the host and uploads to it, and hears of what is refused', async (t) => {
	const uploads: Buffer[] = [];
	const serveOne = async (asked: IncomingMessage, response: ServerResponse) => {
		if (asked.method === 'PUT') uploads.push(await buffer(asked));
		if (asked.url === '/none') response.writeHead(404);
		if (asked.url === '/moved') response.writeHead(302, {location: '/file'});
		response.end(asked.method === 'PUT' ? 'taken\n' : asked.url === '/file' ? content : '');
	};
	const server = createServer((asked, response) => void serveOne(asked, response).catch(() => response.destroy()));
	const connect = leadsTo({80: await onLoopback(t, server)});
	const vm = await toolsMachine(t, {network: {connect}});
	const at = (path: string) => `http://${serverAddress}${path}`;

	const fetched = await vm.exec(
		`curl -sS -f -L -o /tmp/file -w '%{http_code} %{num_redirects} %{size_download}\\n' ${at('/moved')} && sha256sum </tmp/file | cut -c -64`,
		{check: true},
	);
	t.is(fetched.stdout, `200 1 ${content.length}\n${digestOf(content)}\n`);
	t.is((await vm.exec(`curl -sS -f -T /tmp/file ${at('/up')}`, {check: true})).stdout, 'taken\n');
	t.deepEqual(uploads.map(digestOf), [digestOf(content)]);
	t.is((await vm.exec(`curl -sS -f ${at('/none')}`)).exitCode, 22, 'an error of HTTP');
	t.is((await vm.exec(`curl -sS http://${serverAddress}:81/`)).exitCode, 7, 'a refused connection');
	t.is(await kernelComplaint(vm), '');
});

/** What a server of the guest says to a POST. */
async function posted(port: number, body: Uint8Array): Promise<string> {
	const asked = request({host: '127.0.0.1', port, method: 'POST', path: '/digest', agent: false});
	asked.end(body);
	const [response] = (await once(asked, 'response')) as [IncomingMessage];
	return `${response.statusCode} ${await buffer(response)}`;
}

const nodeServer = `
import {createHash} from 'node:crypto';
import {createServer} from 'node:http';
createServer((request, response) => {
	const hash = createHash('sha256');
	request.on('data', (bytes) => hash.update(bytes)).on('end', () => response.end(hash.digest('hex')));
}).listen(8080, '0.0.0.0', () => console.log('listening'));
`;

toolsTest('the host reaches a server of Node.js in the guest, by its network and by its agent', async (t) => {
	const hostPort = await freePort();
	const hostForwards = [{protocol: 'tcp', hostAddress: '127.0.0.1', hostPort, guestPort: 8080}] as const;
	const files = {'/srv/server.mjs': nodeServer};
	const vm = await toolsMachine(t, {network: {hostForwards}, files});

	await using server = await vm.spawn(['/usr/bin/node', '/srv/server.mjs']);
	let said = '';
	for await (const bytes of server.stdout) {
		said += Buffer.from(bytes).toString();
		if (said.includes('\n')) break;
	}
	t.is(said, 'listening\n');
	const forward = await vm.forward(0, 8080);
	const bodies = Array.from({length: 8}, (_, index) => content.subarray(0, index * 100_000));
	for (const port of [hostPort, forward.port])
		t.deepEqual(
			await Promise.all(bodies.map((body) => posted(port, body))),
			bodies.map((body) => `200 ${digestOf(body)}`),
		);
	t.is(await kernelComplaint(vm), '');
});

toolsTest('apt-get takes the lists of a mirror of the host, whose signature it checks, and its packages', async (t) => {
	const signer = await makeSigner('rsa');
	const debs = ['made-one', 'made-two'].map((name) => ({
		name,
		fields: [`Description: ${name} of the test`],
		files: [{path: './usr/share/made/'}, {path: `./usr/share/made/${name}`, data: `this is ${name}\n`}],
	}));
	const mirror = await serveMirror(t, await makeMirror({debs, signer}));
	const other = await serveMirror(t, await makeMirror({debs, signer: await makeSigner('rsa')}));
	const portOf = ({address}: {readonly address: string}) => Number(new URL(address).port);
	const connect = leadsTo({80: portOf(mirror), 81: portOf(other)});
	const source = (port: number) =>
		`deb [arch=amd64 signed-by=/etc/apt/made.asc] http://${serverAddress}:${port}/ made main\n`;
	const files = {
		'/etc/apt/made.asc': signer.keyring,
		'/etc/apt/sources.list': source(80),
		'/etc/apt/apt.conf.d/test': 'APT::Sandbox::User "root";\nAcquire::Languages "none";\n',
	};
	const vm = await toolsMachine(t, {network: {connect}, files});

	const updated = await vm.exec('apt-get update', {check: true});
	t.notRegex(`${updated.stdout}${updated.stderr}`, /^(W|E|Err)\b/m);
	t.is((await vm.exec('apt-cache pkgnames made- | sort')).stdout, 'made-one\nmade-two\n');
	const got = await vm.exec(
		'cd /tmp && apt-get download made-one made-two >&2 && for n in one two; do dpkg-deb --fsys-tarfile made-"$n"_*.deb | tar -xO ./usr/share/made/made-$n; done',
		{check: true},
	);
	t.is(got.stdout, 'this is made-one\nthis is made-two\n');
	t.true(['pool/made-one.deb', 'pool/made-two.deb'].every((path) => mirror.asked.includes(path)));

	await vm.files.write('/etc/apt/sources.list', source(81));
	const refused = await vm.exec('apt-get update');
	t.regex(`${refused.stdout}${refused.stderr}`, /NO_PUBKEY|not signed/, 'a mirror that another key has signed');
	t.is(await kernelComplaint(vm), '');
});

/** Bytes that go each way. */
const iperfBytes = 8_000_000;

toolsTest(
	'iperf3 of the guest and of the host send each other bytes through the network, both ways at once too',
	async (t) => {
		const port = await freePort();
		const server = spawn('iperf3', ['-s', '-B', '127.0.0.1', '-p', `${port}`, '--forceflush'], {
			stdio: ['ignore', 'pipe', 'ignore'],
		});
		const over = once(server, 'exit');
		t.teardown(async () => {
			server.kill();
			await over;
		});
		let said = '';
		for await (const bytes of server.stdout) {
			said += bytes;
			if (said.includes('listening')) break;
		}
		const vm = await toolsMachine(t, {network: {connect: leadsTo({5201: port})}});

		for (const way of ['', '-R', '-R -P 4', '--bidir']) {
			const {stdout, exitCode} = await vm.exec(`iperf3 -J -c ${serverAddress} -n ${iperfBytes} ${way}`);
			t.is(exitCode, 0, `${way}: ${stdout}`);
			const {end} = JSON.parse(stdout) as {end: Record<string, {bytes: number}>};
			const sums = ['sum_received', ...(way === '--bidir' ? ['sum_received_bidir_reverse'] : [])];
			// The sender may have more under way when the receiver has counted.
			for (const sum of sums) t.true((end[sum]?.bytes ?? 0) > 0, `${way} ${sum}: ${stdout}`);
			if (way !== '--bidir') t.true((end['sum_sent']?.bytes ?? 0) >= iperfBytes, `${way}: ${stdout}`);
		}
		t.is(await kernelComplaint(vm), '');
	},
	{skip: findProgram('iperf3') === undefined},
);

toolsTest(
	"ssh of the host runs commands in the guest, and the guest's own by way of the host too",
	async (t) => {
		const folder = testFolder(t, 'ssh');
		const key = join(folder, 'key');
		execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
		const hostPort = await freePort();
		const hostForwards = [{protocol: 'tcp', hostAddress: '127.0.0.1', hostPort, guestPort: 22}] as const;
		const vm = await toolsMachine(t, {
			network: {connect: leadsTo({22: hostPort}), hostForwards},
			files: {
				'/root/.ssh/authorized_keys': readFileSync(`${key}.pub`),
				'/root/.ssh/id_ed25519': readFileSync(key),
				'/etc/ssh/sshd_config':
					'PermitRootLogin prohibit-password\nPasswordAuthentication no\nUsePAM no\nSubsystem sftp internal-sftp\n',
			},
		});
		await vm.exec(
			`chmod 700 /root /root/.ssh; chmod 600 /root/.ssh/*; mkdir -p /run/sshd /var/empty
			grep -q ^sshd: /etc/passwd || echo sshd:x:101:65534::/run/sshd:/usr/sbin/nologin >>/etc/passwd
			ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key`,
			{check: true},
		);
		await using server = await vm.spawn('exec /usr/sbin/sshd -D -e -h /etc/ssh/ssh_host_ed25519_key 2>/tmp/sshd.log');
		t.teardown(async () => {
			if (!t.passed) t.log(await vm.files.readText('/tmp/sshd.log').catch(String));
		});
		await untilListening(vm, 22, server.pid);
		const hostKey = await vm.files.readText('/etc/ssh/ssh_host_ed25519_key.pub');
		const forward = await vm.forward(0, 22);
		const known = join(folder, 'known');

		for (const port of [hostPort, forward.port]) {
			const words = [
				'-F',
				'none',
				'-i',
				key,
				'-p',
				`${port}`,
				'-o',
				'BatchMode=yes',
				'-o',
				`UserKnownHostsFile=${known}`,
			];
			writeFileSync(known, `[127.0.0.1]:${port} ${hostKey}`);
			const ssh = spawn('ssh', [...words, 'root@127.0.0.1', 'uname -n; sha256sum | cut -c -64; exit 7']);
			const [output, errors] = [buffer(ssh.stdout), buffer(ssh.stderr)];
			ssh.stdin.end(content);
			const [status] = (await once(ssh, 'exit')) as [number];
			t.is(`${await output}`, `${vm.name}\n${digestOf(content)}\n`, `${await errors}`);
			t.is(status, 7);
		}

		// Out by the network's policy, and in by its forward.
		const own = await vm.exec(
			`echo '${serverAddress} ${hostKey.trim()}' >/root/.ssh/known_hosts; ssh -o BatchMode=yes root@${serverAddress} 'head -c 1000000 /dev/zero' | sha256sum | cut -c -64`,
			{check: true, env: {HOME: '/root'}},
		);
		t.is(own.stdout, `${digestOf(new Uint8Array(1_000_000))}\n`, own.stderr);
		server.kill();
		t.is(await kernelComplaint(vm), '');
	},
	{skip: findProgram('ssh') === undefined || findProgram('ssh-keygen') === undefined},
);
