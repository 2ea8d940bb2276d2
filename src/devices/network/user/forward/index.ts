export {type GuestForward, type HostForward, parseGuestForward, parseHostForward} from './forward.ts';
export {TcpForward} from './tcp-forward.ts';
export {type DatagramReceiver, UdpForward} from './udp-forward.ts';
