export {type Asker, DnsServer, type OwnNames} from './dns-server.ts';
export {HostResolver} from './host-resolver.ts';
