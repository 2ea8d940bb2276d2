import {join} from 'node:path';
import {flagged, linuxTest, runInLinux, until, untilReadable, untilThere} from '#test/petri';
import {hasUserLand} from './user-land/user-land.ts';

const disk = join(process.cwd(), '.packages/user-land/disk.img');
const prefix = 'fd4f:7065:6e56::';
/** Where systemd-networkd tells what it has of a NIC's network (sd_network_monitor_new(3)). */
const links = '/debian/run/systemd/netif/links';

/** A file of systemd.network(5) for the NIC. */
const configured = (...lines: readonly string[]): string =>
	`printf '%s\\n' '[Match]' 'Name=eth0' ${lines.map((line) => `'${line}'`).join(' ')} >/debian/run/systemd/network/eth0.network`;
/** Debian's own, in its own files; without udev it takes each NIC for ready, as where /sys cannot be written. */
const started = 'chroot /debian /lib/systemd/systemd-networkd & networkd=$!';

linuxTest(
	'systemd-networkd has its address and name server by router advertisements, and then by DHCPv6, under its name',
	async (t, machine) => {
		const devices = flagged({
			'virtio-net': ['consomme:10.0.0.0/24,name=web,ipv6=on,mac=02:00:00:00:00:01'],
			'virtio-blk': [`${disk},ro`],
		});
		const guest = await runInLinux(machine, {devices}, [
			'modprobe -a virtio_mmio virtio_net virtio_blk ext4',
			untilReadable('/dev/vda'),
			'mkdir /debian; mount -t ext4 -o ro,noload /dev/vda /debian',
			'cd /debian; mount -t proc proc proc; mount -t sysfs -o ro sysfs sys; mount --bind /dev dev; mount -t tmpfs tmpfs run',
			// Its package's scripts make the user that it runs as, and have not run.
			'for f in passwd group; do cp etc/$f run/$f; mount --bind run/$f etc/$f; done',
			"echo 'systemd-network:x:998:998::/:/bin/false' >>run/passwd; echo systemd-network:x:998: >>run/group",
			'mkdir -p run/systemd/network',
			untilThere('/sys/class/net/eth0'),
			configured('[Network]', 'IPv6AcceptRA=yes', '[IPv6AcceptRA]', 'DHCPv6Client=no'),
			started,
			`${until(`grep -q '^DNS=${prefix}1' ${links}/*`)}; echo advertised=yes`,
			`${until(`ip addr show dev eth0 | grep -q 'inet6 ${prefix}ff:fe00:1/64 scope global'`)}; echo own=yes`,
			`${until(`nslookup -type=a web.internal ${prefix}1 | grep -q 'Address: 10.0.0.2'`)}; echo named=yes`,
			`nslookup -type=aaaa web.internal ${prefix}1 | grep -q ${prefix}a00:2 || echo lent=no`,
			`kill $networkd; wait $networkd; rm ${links}/*`,
			configured(
				'[Network]',
				'DHCP=ipv6',
				'IPv6AcceptRA=yes',
				'[IPv6AcceptRA]',
				'UseDNS=no',
				'[DHCPv6]',
				'WithoutRA=solicit',
			),
			started,
			`${until(`ip addr show dev eth0 | grep -q 'inet6 ${prefix}a00:2/128 scope global'`)}; echo given=yes`,
			`${until(`grep -q '^DNS=${prefix}1' ${links}/*`)}; echo told=yes`,
			`nslookup -type=aaaa web.internal ${prefix}1 | grep -q 'Address: ${prefix}a00:2' && echo lent=yes`,
			'echo all=done; sleep 10000',
		]);
		await guest.waitFor(/^all=done\r?$/m);
		for (const each of ['advertised=yes', 'own=yes', 'named=yes', 'lent=no', 'given=yes', 'told=yes', 'lent=yes'])
			t.regex(guest.output, new RegExp(`^${each}\\r?$`, 'm'), `${each}: ${guest.output}`);
		t.is(Number(await guest.inspect('vm/devices/virtio-net-mmio/consomme/malformed')), 0);
	},
	{skip: !hasUserLand()},
);
