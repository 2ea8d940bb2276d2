/**
 * Code that is interrupted at its borders: an instruction a line, its bytes first. Each piece ends as it begins as far as RBP, the stack and
 * IF go, so that pieces follow each other in any order.
 */

/** In 64-bit code RBP points to data, and the stack has room. */
export const pieces64 = {
	arithmetic: `
48 01 d8               ADD RAX,RBX
48 11 d1               ADC RCX,RDX
48 19 c3               SBB RBX,RAX
48 d1 d2               RCL RDX,1
48 f7 e1               MUL RCX
0f 92 45 00            SETC [RBP]
48 0f 4c c3            CMOVL RAX,RBX
31 d2                  XOR EDX,EDX
48 83 c9 01            OR RCX,1
48 f7 f1               DIV RCX
48 0f bd f8            BSR RDI,RAX`,
	calls: `
e8 02 00 00 00         CALL +2
eb 07                  JMP +7
50                     PUSH RAX
48 ff 04 24            INC qword [RSP]
58                     POP RAX
c3                     RET
c8 10 00 01            ENTER 16,1
c9                     LEAVE
b9 05 00 00 00         MOV ECX,5
48 01 c8               ADD RAX,RCX
e2 fb                  LOOP -5`,
	strings: `
b9 07 00 00 00         MOV ECX,7
48 89 ee               MOV RSI,RBP
48 8d 7d 41            LEA RDI,[RBP+41h]
f3 a4                  REP MOVSB
b9 05 00 00 00         MOV ECX,5
f3 48 ab               REP STOSQ
48 89 ee               MOV RSI,RBP
48 8d 7d 41            LEA RDI,[RBP+41h]
b9 09 00 00 00         MOV ECX,9
f3 a6                  REPE CMPSB
b9 06 00 00 00         MOV ECX,6
f2 ae                  REPNE SCASB
fd                     STD
48 8d 75 50            LEA RSI,[RBP+50h]
48 8d 7d 60            LEA RDI,[RBP+60h]
b9 04 00 00 00         MOV ECX,4
66 f3 a5               REP MOVSW
fc                     CLD
48 ad                  LODSQ
b9 03 00 00 00         MOV ECX,3
f3 ad                  REP LODSD`,
	locked: `
b8 01 00 00 00         MOV EAX,1
f0 0f c1 45 08         LOCK XADD [RBP+8],EAX
f0 48 0f b1 5d 10      LOCK CMPXCHG [RBP+10h],RBX
87 45 18               XCHG [RBP+18h],EAX
f0 0f ba 6d 20 03      LOCK BTS [RBP+20h],3
f0 48 0f c7 4d 30      LOCK CMPXCHG16B [RBP+30h]
f0 ff 45 3d            LOCK INC dword [RBP+3dh]`,
	x87: `
db e3                  FNINIT
d9 eb                  FLDPI
d9 e8                  FLD1
d8 c1                  FADD ST,ST(1)
d9 fe                  FSIN
dd 5d 60               FSTP qword [RBP+60h]
d9 7d 68               FNSTCW [RBP+68h]
df 6d 70               FILD qword [RBP+70h]
de c9                  FMULP
9b                     FWAIT
db 7d 70               FSTP tbyte [RBP+70h]
0f 6e c0               MOVD MM0,EAX
0f fe c0               PADDD MM0,MM0
0f 7f 45 78            MOVQ [RBP+78h],MM0
0f 77                  EMMS`,
	vectors: `
66 0f 6e c8            MOVD XMM1,EAX
f3 0f e6 d1            CVTDQ2PD XMM2,XMM1
f2 0f 5e d1            DIVSD XMM2,XMM1
f2 0f 51 da            SQRTSD XMM3,XMM2
0f 11 9d 80 00 00 00   MOVUPS [RBP+80h],XMM3
0f ae 5d 7c            STMXCSR [RBP+7ch]`,
	interruptFlag: `
fa                     CLI
ff 45 00               INC dword [RBP]
ff 4d 04               DEC dword [RBP+4]
fb                     STI
ff 45 00               INC dword [RBP]
fa                     CLI
fb                     STI
fa                     CLI
90                     NOP
fb                     STI
fb                     STI
90                     NOP`,
	popFlags: `
9c                     PUSHF
fa                     CLI
9d                     POPF
90                     NOP
9c                     PUSHF
81 24 24 ff fd ff ff   AND dword [RSP],~200h
9d                     POPF
90                     NOP
9c                     PUSHF
81 0c 24 00 02 00 00   OR dword [RSP],200h
9d                     POPF
90                     NOP`,
	stackSegment: `
8c d0                  MOV EAX,SS
48 89 e1               MOV RCX,RSP
8e d0                  MOV SS,EAX
48 8d a5 00 04 00 00   LEA RSP,[RBP+400h]
50                     PUSH RAX
8e d0                  MOV SS,EAX
48 89 cc               MOV RSP,RCX
8e d0                  MOV SS,EAX
0f 20 d9               MOV RCX,CR3
90                     NOP
fa                     CLI
8e d0                  MOV SS,EAX
fb                     STI
90                     NOP`,
	interruptReturn: `
8c d0                  MOV EAX,SS
48 89 e2               MOV RDX,RSP
50                     PUSH RAX
52                     PUSH RDX
9c                     PUSHF
6a 08                  PUSH 8
48 8d 0d 04 00 00 00   LEA RCX,[RIP+4]
51                     PUSH RCX
fa                     CLI
48 cf                  IRETQ
90                     NOP`,
	farCall: `
48 8d 05 19 00 00 00   LEA RAX,[RIP+19h]
48 89 85 90 00 00 00   MOV [RBP+90h],RAX
66 c7 85 98 00 00 00 08 00   MOV word [RBP+98h],8
48 ff 9d 90 00 00 00   CALL FAR [RBP+90h]
eb 03                  JMP +3
90                     NOP
48 cb                  RETFQ`,
	systemCalls: `
48 8d 05 27 00 00 00   LEA RAX,[RIP+27h]
48 89 c2               MOV RDX,RAX
48 c1 ea 20            SHR RDX,32
b9 82 00 00 c0         MOV ECX,LSTAR
0f 30                  WRMSR
48 8d 0d 0d 00 00 00   LEA RCX,[RIP+0dh]
49 c7 c3 02 02 00 00   MOV R11,202h
48 89 e3               MOV RBX,RSP
48 0f 07               SYSRETQ
90                     NOP
ff c0                  INC EAX
0f 05                  SYSCALL
48 89 dc               MOV RSP,RBX
fb                     STI
90                     NOP`,
	halts: `
f4                     HLT
90                     NOP
fa                     CLI
fb                     STI
f4                     HLT
ff 45 00               INC dword [RBP]`,
	exceptions: `
cd 40                  INT 40h
ff c0                  INC EAX
0f 0b                  UD2
cc                     INT3
90                     NOP`,
	control: `
0f 20 d8               MOV RAX,CR3
0f 22 d8               MOV CR3,RAX
0f 01 7d 00            INVLPG [RBP]
ff 45 00               INC dword [RBP]
0f 20 e0               MOV RAX,CR4
0f 22 e0               MOV CR4,RAX`,
} as const;

/** In 32-bit code without paging EBP points to data; 20h is the selector of another task, which counts in EAX and returns. */
export const pieces32 = {
	stackSegment: `
16                     PUSH SS
17                     POP SS
90                     NOP
89 e0                  MOV EAX,ESP
16                     PUSH SS
17                     POP SS
8d a5 00 04 00 00      LEA ESP,[EBP+400h]
8c d1                  MOV ECX,SS
8e d1                  MOV SS,ECX
89 c4                  MOV ESP,EAX
90                     NOP`,
	all: `
60                     PUSHA
01 d8                  ADD EAX,EBX
61                     POPA
9c                     PUSHF
fa                     CLI
9d                     POPF
37                     AAA
27                     DAA`,
	interruptReturn: `
e8 00 00 00 00         CALL +0
58                     POP EAX
83 c0 09               ADD EAX,9
9c                     PUSHF
0e                     PUSH CS
50                     PUSH EAX
fa                     CLI
cf                     IRET
90                     NOP`,
	tasks: `
9a 00 00 00 00 20 00   CALL 20h:0
40                     INC EAX
9a 00 00 00 00 20 00   CALL 20h:0
90                     NOP`,
	strings: `
b9 05 00 00 00         MOV ECX,5
89 ee                  MOV ESI,EBP
8d 7d 21               LEA EDI,[EBP+21h]
f3 a5                  REP MOVSD
b9 04 00 00 00         MOV ECX,4
f3 aa                  REP STOSB`,
	exceptions: `
cd 40                  INT 40h
40                     INC EAX
90                     NOP`,
} as const;

/** In real mode BP points to data. */
export const pieces16 = {
	stackSegment: `
8c d0                  MOV AX,SS
89 e1                  MOV CX,SP
8e d0                  MOV SS,AX
8d a6 00 02            LEA SP,[BP+200h]
16                     PUSH SS
17                     POP SS
89 cc                  MOV SP,CX
90                     NOP`,
	interruptFlag: `
fa                     CLI
ff 46 00               INC word [BP]
fb                     STI
ff 46 00               INC word [BP]
9c                     PUSHF
fa                     CLI
9d                     POPF
90                     NOP`,
	exceptions: `
cd 40                  INT 40h
40                     INC AX
9c                     PUSHF
0e                     PUSH CS
e8 02 00               CALL +2
eb 0a                  JMP +10
58                     POP AX
05 0a 00               ADD AX,10
50                     PUSH AX
cf                     IRET
90                     NOP
90                     NOP
90                     NOP
90                     NOP
90                     NOP`,
	strings: `
b9 05 00               MOV CX,5
89 ee                  MOV SI,BP
8d 7e 21               LEA DI,[BP+21h]
f3 a4                  REP MOVSB
b9 04 00               MOV CX,4
f3 ab                  REP STOSW`,
} as const;
