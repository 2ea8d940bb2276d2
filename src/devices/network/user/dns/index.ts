export {type Asker, DnsServer, type OwnNames} from './dns-server.ts';
export {HostResolver, parseServer} from './host-resolver.ts';
