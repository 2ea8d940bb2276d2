/** Reaches a server in a guest from its host, and answers what the guest asks of the network. `node reach-guest.ts [KERNEL INITRD]` */
import {VM} from 'openvmm';

const [kernel, initrd] = process.argv.slice(2);
const guest = kernel !== undefined && initrd !== undefined ? {kernel, initrd} : {image: 'busybox:1'};

await using vm = await VM.create({
	...guest,
	name: 'web',
	network: {
		async connect({protocol, address, port}) {
			if (protocol !== 'tcp' || port !== 80) return {kind: 'refuse', reason: 'not of this example'};
			// The program is the server: nothing of it goes out.
			return {kind: 'answer', answer: (stream) => stream.end(`HTTP/1.0 200 OK\r\n\r\n${address} is the program\n`)};
		},
	},
});
await vm.exec('mkdir -p /www; echo a page >/www/index.html; httpd -p 127.0.0.1:8080 -h /www', {check: true});

await using web = await vm.forward(0, 8080);
const response = await fetch(`http://127.0.0.1:${web.port}/`);
console.log(`forward: ${(await response.text()).trim()}`);

const asked = await vm.exec('wget -q -O - http://93.184.216.34/', {check: true});
console.log(`connect: ${asked.stdout.trim()}`);
const refused = await vm.exec('wget -q -O - http://93.184.216.34:8000/');
console.log(`refused: ${refused.exitCode !== 0}`);

await vm.pause();
console.log(`pause: ${await vm.inspect('vm/state')}`);
await vm.resume();
console.log(`resume: ${await vm.inspect('vm/state')}`);
