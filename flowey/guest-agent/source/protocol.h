/* The protocol of guide/agent.md in numbers. src/main/agent/protocol.ts has the same, and a test compares them. */
#pragma once

/* 16 bytes without a zero one: they cannot lie across a frame's header, which has two of them, so a sender who breaks its payloads within them never
   sends them but in a greeting. */
#define MAGIC "openvmm-agent/\xfe\xed"

enum {
	MAGIC_SIZE = 16,
	NONCE_SIZE = 16,
	LOWEST_VERSION = 1,
	HIGHEST_VERSION = 1,
	/* Magic, nonce, lowest and highest version, u32: flags of the host's, or the size of the facts that follow the agent's. */
	GREETING_SIZE = 40,
	MOST_FACTS = 1024,
	GREETING_KILL = 1,

	HEADER_SIZE = 8,
	MOST_PAYLOAD = 65528,
	MOST_CHANNEL = 1023,
	/* Bytes that a sender of a stream may send before it is given credit. */
	WINDOW = 262144,
	MOST_PATH = 4095,
	MOST_WORDS = 4096,
	MOST_ENTROPY = 512,
};

enum frame_type {
	FRAME_OPEN = 1,
	FRAME_REPLY = 2,
	FRAME_FAIL = 3,
	FRAME_DATA = 4,
	FRAME_END = 5,
	FRAME_CREDIT = 6,
	FRAME_EXIT = 7,
	FRAME_SIGNAL = 8,
	FRAME_RESIZE = 9,
	FRAME_CLOSE = 10,
	FRAME_CLOSED = 11,
};

enum stream_number {
	STREAM_INPUT = 0,
	STREAM_OUTPUT = 1,
	STREAM_ERRORS = 2,
};

enum operation {
	OPERATION_SPAWN = 1,
	OPERATION_READ = 2,
	OPERATION_WRITE = 3,
	OPERATION_STAT = 4,
	OPERATION_READDIR = 5,
	OPERATION_MKDIR = 6,
	OPERATION_REMOVE = 7,
	OPERATION_RENAME = 8,
	OPERATION_SYMLINK = 9,
	OPERATION_READLINK = 10,
	OPERATION_CHMOD = 11,
	OPERATION_CHOWN = 12,
	OPERATION_UTIMES = 13,
	OPERATION_WATCH = 14,
	OPERATION_CONNECT_TCP = 15,
	OPERATION_CONNECT_UNIX = 16,
	OPERATION_SET_CLOCK = 17,
	OPERATION_RESEED = 18,
	OPERATION_MOUNT = 19,
	OPERATION_SHUTDOWN = 20,
};

/* What failed. */
enum step {
	STEP_DECODE = 1,
	STEP_CHANNEL = 2,
	STEP_MEMORY = 3,
	STEP_PIPE = 4,
	STEP_TERMINAL = 5,
	STEP_USER = 6,
	STEP_FORK = 7,
	STEP_SESSION = 8,
	STEP_IDENTITY = 9,
	STEP_FOLDER = 10,
	STEP_EXEC = 11,
	STEP_OPEN = 12,
	STEP_READ = 13,
	STEP_WRITE = 14,
	STEP_STAT = 15,
	STEP_MKDIR = 16,
	STEP_REMOVE = 17,
	STEP_RENAME = 18,
	STEP_LINK = 19,
	STEP_ATTRIBUTES = 20,
	STEP_WATCH = 21,
	STEP_ADDRESS = 22,
	STEP_CONNECT = 23,
	STEP_CLOCK = 24,
	STEP_ENTROPY = 25,
	STEP_MOUNT = 26,
	STEP_SHUTDOWN = 27,
};

enum {
	SPAWN_TERMINAL = 1,
	SPAWN_CLEAR_ENVIRONMENT = 2,
	SPAWN_NO_INPUT = 4,
	WRITE_APPEND = 1,
	WRITE_ATOMIC = 2,
	PATH_NO_FOLLOW = 1,
	PATH_RECURSIVE = 2,
	PATH_FORCE = 4,
	MOUNT_READ_ONLY = 1,
	MOUNT_MAKE_TARGET = 2,
	SHUTDOWN_POWER_OFF = 0,
	SHUTDOWN_REBOOT = 1,
	SHUTDOWN_HALT = 2,
	EXIT_STATUS = 0,
	EXIT_SIGNAL = 1,
};
