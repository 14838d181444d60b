# The settings of all experiments on pictures, also for pipelines/specialists. Each kind of net has `epochs`, `warm`, the pictures of
# the training split that it learns from (`part`), and `seconds`, the rough time of one training on a core of its own, for progress.

# ---- The data ----

pictures := loader cifar100 --standardise
# Pictures are moved and mirrored otherwise in each epoch.
moved := --crop 4 --flip
# 5,000 of the 50,000 training pictures are for choosing settings.
held_out := --hold-out 5000

# The kernels that multiply: in bf16, if the processor has it.
kernels := --kernels onednn --precision auto

# ---- The nets, as --hidden takes them ----

G := 'conv3x3:32-bn-relu-maxpool2-conv3x3:64-bn-relu-maxpool2-conv3x3:128-bn-relu-maxpool2-2*(conv3x3:256-bn-relu)-gap'
s := 'conv3x3:12-bn-relu-maxpool2-conv3x3:24-bn-relu-maxpool2-conv3x3:48-bn-relu-maxpool2-conv3x3:96-bn-relu-gap'

# The rate rises for a fifth of the time (`warm`, epochs), and then falls along a cosine.
rate := 0.2
rate.s := 1.6
decay.G := 0.0005
decay.s := 0.0001

# ---- G: with all 60 epochs it learns from all 50,000 ----

12.epochs := $(call pick,12,1)
12.warm := $(call pick,2.4,0.2)
12.part := $(held_out)
12.seconds := $(call pick,400,20)
60.epochs := $(call pick,60,2)
60.warm := $(call pick,12,0.4)
60.part :=
60.seconds := $(call pick,2100,40)
# The second teacher of the best s.
30.epochs := $(call pick,30,1)
30.warm := $(call pick,6,0.2)
30.part :=
30.seconds := $(call pick,1050,20)

# ---- s, alone and taught by G: that of 12 epochs for 8, that of 60 for 60 ----

temperature := 2
hard := 0.1
soft := 0.9
s-8.epochs := $(call pick,8,1)
s-8.warm := $(call pick,1.6,0.2)
s-8.seeds := $(call pick,1 2 3,1 2)
s-8.teacher := 12
s-8.seconds := $(call pick,90,10)
s-60.epochs := $(call pick,60,2)
s-60.warm := $(call pick,12,0.4)
s-60.seeds := $(call pick,1 2,1)
s-60.teacher := 60
s-60.seconds := $(call pick,600,20)
# The best s, which two G teach.
best.seconds := $(call pick,2500,40)
