import {bytesContent, type FileTree} from '#main/file-tree';

const units = 'etc/systemd/system';
/** The terminal that systemd has on each serial port which the kernel has for a console. */
const getty = 'serial-getty@.service';

/** The unit of {@link addFirstConfiguration}. */
const configureUnit = 'openvmm-configure.service';

/**
 * Makes systemd run at the first boot what of the packages' scripts has not run: `dpkg --configure -a`, which asks nobody. It runs
 * beside all else that starts, since scripts start services themselves, and before commands of the image. When it went well it is gone.
 */
export function addFirstConfiguration(tree: FileTree): void {
	const script = '/etc/openvmm/configure';
	const wanted = `${units}/multi-user.target.wants/${configureUnit}`;
	const lines = `#!/bin/sh
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true LC_ALL=C HOME=/root
dpkg --force-confdef --force-confold --configure -a || exit
# The files that stood in for it would count as the user's own.
[ ! -x /usr/sbin/pam-auth-update ] || pam-auth-update --package --force || exit
rm -f /${wanted}
`;
	tree.addFile(script, bytesContent(lines), 0o755);
	const unit = `[Unit]
Description=Configuration of the packages of the image
After=basic.target
[Service]
Type=oneshot
ExecStart=${script}
TimeoutStartSec=infinity
`;
	tree.addFile(`${units}/${configureUnit}`, bytesContent(unit));
	tree.addLink(wanted, `../${configureUnit}`);
}

/** Makes systemd have a shell of root's on the console, to which nobody has to log in. */
export function addConsoleShell(tree: FileTree): void {
	const line =
		"ExecStart=-/sbin/agetty -o '-p -f -- \\\\u' --autologin root --noclear --keep-baud 115200,57600,38400,9600 - $TERM";
	tree.addFile(`${units}/${getty}.d/autologin.conf`, bytesContent(`[Service]\nExecStart=\n${line}\n`));
	addTarget(tree);
}

/**
 * Makes systemd run lines of shell on the console when it is up, say with which status they ended (`openvmm-guest: status=N`),
 * and power the machine off. Nobody can log in there.
 */
export function addConsoleCommands(tree: FileTree, commands: readonly string[]): void {
	const script = '/etc/openvmm/run';
	const name = 'openvmm-run.service';
	tree.addFile(
		script,
		bytesContent(`#!/bin/sh\n(\n${commands.join('\n')}\n)\necho "openvmm-guest: status=$?"\n`),
		0o755,
	);
	const unit = `[Unit]
Description=Commands of the image
After=basic.target systemd-user-sessions.service ${configureUnit}
SuccessAction=poweroff
FailureAction=poweroff
[Service]
Type=exec
ExecStart=${script}
WorkingDirectory=/root
Environment=HOME=/root
StandardInput=null
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
`;
	tree.addFile(`${units}/${name}`, bytesContent(unit));
	tree.addLink(`${units}/multi-user.target.wants/${name}`, `../${name}`);
	tree.addLink(`${units}/${getty}`, '/dev/null');
	addTarget(tree);
}

/** Without it, a system has the graphical target. */
function addTarget(tree: FileTree): void {
	tree.addLink(`${units}/default.target`, '/lib/systemd/system/multi-user.target');
}
