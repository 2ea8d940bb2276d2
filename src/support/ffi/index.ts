export {
	AtFlag,
	type CPath,
	chmodOpen,
	chownOpen,
	exchangePaths,
	linkOpen,
	mkdirAt,
	mknodAt,
	OAt,
	openAt,
	openPath,
	Resolve,
	readOpenLink,
	renameAt,
	reopen,
	setTimesOpen,
	symlinkAt,
	truncateOpen,
	UTIME_NOW,
	UTIME_OMIT,
	unlinkAt,
} from './at-calls.ts';
export {BusErrors, type WatchedEntry} from './bus-errors.ts';
export {monotonicNs, readMonotonicNs} from './clock.ts';
export {Errno, errnoName, errnoOf, transient} from './errno.ts';
export {canBeWatched, drainEventfd, Epoll, EpollSet, eventfd, readableInPool, signalEventfd} from './event.ts';
export {eventLoopFd} from './event-loop.ts';
export {close, duplicate, lockFile, O, open, pipe, read, setNonBlocking, write} from './fd.ts';
export {
	Fallocate,
	fallocateInPool,
	fdatasyncInPool,
	type PoolResult,
	preadvInPool,
	pwritevInPool,
	RWF_DSYNC,
	readCached,
} from './file-io.ts';
export {connectTcp, inetAddress, resetOnClose, sendAtOnce, socketError} from './inet-socket.ts';
export {ioUringEnter, ioUringRegister, ioUringSetup} from './io-uring.ts';
export {koffi} from './koffi.ts';
export {addressOf} from './libc.ts';
export {giveBackFreeMemory, limitFreeMemory} from './malloc.ts';
export {
	Advice,
	advise,
	bindMemory,
	discardPages,
	type Mapping,
	Memfd,
	Mmap,
	makeReadOnly,
	mapFile,
	mapOver,
	memfdCreate,
	truncate,
	unmap,
} from './memory-map.ts';
export {
	allocate,
	copyRange,
	getXattr,
	listXattrs,
	lockRange,
	OpenFileLock,
	readEntries,
	readVectors,
	removeXattr,
	Seek,
	seek,
	setXattr,
	spaceOf,
	statOpen,
	syncAround,
	syncFile,
	writeVectors,
} from './open-file.ts';
export {copyInPool, fillInPool} from './pool-copy.ts';
export {fillRandom} from './random.ts';
export {
	blockSignal,
	foregroundGroup,
	gettid,
	ignoreSignal,
	processGroup,
	signalConsumer,
	signalThread,
} from './signals.ts';
export {
	accept,
	clientLeft,
	connectDatagrams,
	connectUnix,
	endDirection,
	ipVersion,
	listenTcp,
	listenUnix,
	openDatagrams,
	removeUnixSocket,
	sendNow,
	socketPair,
	unixPathLimit,
} from './socket.ts';
export {openTap, type TapOptions} from './tap.ts';
export {cutDatagrams, DatagramReader, openEcho, openUdp, SocketErrors, sendDatagrams} from './udp-socket.ts';
export {type WideExchange, wideExchange, wideExchangeCode} from './wide-exchange.ts';
