set terminal svg size 1160,860 font 'Helvetica,13' background 'white' noenhanced
set encoding utf8
set datafile missing '?'
set logscale xy
set format xy '%g'
set grid lc rgb '#dddddd'
set ylabel 'µs an image'
set key top left Left reverse samplen 2.5 maxrows 2
set multiplot layout 2,2
set title 'Batch, 1 thread'
set xlabel 'images a call'
set xtics ('1' 1, '' 2, '4' 4, '' 8, '16' 16, '' 32, '64' 64, '' 128, '256' 256, '' 512, '1024' 1024, '' 2048, '4096' 4096)
set xrange [0.8:5120]
set yrange [2.23575:133.669]
plot 'docs/performance/growth.dat' index 0 using 1:2:3:4 with yerrorlines lc rgb '#1b6ca8' lw 1.6 pt 7 ps 0.45 title 'LeNet', \
     'docs/performance/growth.dat' index 1 using 1:2:3:4 with yerrorlines lc rgb '#c44e1b' lw 1.6 pt 7 ps 0.45 title 'early branch', \
     'docs/performance/growth.dat' index 2 using 1:2:3:4 with yerrorlines lc rgb '#2e7d32' lw 1.6 pt 7 ps 0.45 title 'autoencoder (MNIST)', \
     'docs/performance/growth.dat' index 0 using 1:5 with lines lc rgb '#1b6ca8' lw 1.4 dt 2 notitle, \
     'docs/performance/growth.dat' index 1 using 1:5 with lines lc rgb '#c44e1b' lw 1.4 dt 2 notitle, \
     'docs/performance/growth.dat' index 2 using 1:5 with lines lc rgb '#2e7d32' lw 1.4 dt 2 notitle, \
     1/0 with lines lc rgb 'black' lw 1.4 dt 2 title 'floor'
set title 'Batch, 2 threads'
set xlabel 'images a call'
set xtics ('1' 1, '' 2, '4' 4, '' 8, '16' 16, '' 32, '64' 64, '' 128, '256' 256, '' 512, '1024' 1024, '' 2048, '4096' 4096)
set xrange [0.8:5120]
set yrange [1.11787:187.631]
plot 'docs/performance/growth.dat' index 3 using 1:2:3:4 with yerrorlines lc rgb '#1b6ca8' lw 1.6 pt 7 ps 0.45 title 'LeNet', \
     'docs/performance/growth.dat' index 4 using 1:2:3:4 with yerrorlines lc rgb '#c44e1b' lw 1.6 pt 7 ps 0.45 title 'early branch', \
     'docs/performance/growth.dat' index 5 using 1:2:3:4 with yerrorlines lc rgb '#2e7d32' lw 1.6 pt 7 ps 0.45 title 'autoencoder (MNIST)', \
     'docs/performance/growth.dat' index 3 using 1:5 with lines lc rgb '#1b6ca8' lw 1.4 dt 2 notitle, \
     'docs/performance/growth.dat' index 4 using 1:5 with lines lc rgb '#c44e1b' lw 1.4 dt 2 notitle, \
     'docs/performance/growth.dat' index 5 using 1:5 with lines lc rgb '#2e7d32' lw 1.4 dt 2 notitle, \
     1/0 with lines lc rgb 'black' lw 1.4 dt 2 title 'floor'
set title 'Width, batch 1, 1 thread'
set xlabel 'channels and hidden features, times the paper''s'
set xtics ('1' 1, '2' 2, '4' 4, '8' 8)
set xrange [0.8:10]
set yrange [2.23575:208965]
plot 'docs/performance/growth.dat' index 6 using 1:2:3:4 with yerrorlines lc rgb '#1b6ca8' lw 1.6 pt 7 ps 0.45 title 'LeNet', \
     'docs/performance/growth.dat' index 7 using 1:2:3:4 with yerrorlines lc rgb '#c44e1b' lw 1.6 pt 7 ps 0.45 title 'early branch', \
     'docs/performance/growth.dat' index 8 using 1:2:3:4 with yerrorlines lc rgb '#2e7d32' lw 1.6 pt 7 ps 0.45 title 'autoencoder (MNIST)', \
     'docs/performance/growth.dat' index 6 using 1:5 with lines lc rgb '#1b6ca8' lw 1.4 dt 2 notitle, \
     'docs/performance/growth.dat' index 7 using 1:5 with lines lc rgb '#c44e1b' lw 1.4 dt 2 notitle, \
     'docs/performance/growth.dat' index 8 using 1:5 with lines lc rgb '#2e7d32' lw 1.4 dt 2 notitle, \
     1/0 with lines lc rgb 'black' lw 1.4 dt 2 title 'floor'
set title 'Image side, batch 1, 1 thread'
set xlabel 'pixels a side'
set xtics ('28' 28, '56' 56, '112' 112, '224' 224)
set xrange [22.4:280]
set yrange [2.23575:7696.28]
plot 'docs/performance/growth.dat' index 9 using 1:2:3:4 with yerrorlines lc rgb '#1b6ca8' lw 1.6 pt 7 ps 0.45 title 'LeNet', \
     'docs/performance/growth.dat' index 10 using 1:2:3:4 with yerrorlines lc rgb '#c44e1b' lw 1.6 pt 7 ps 0.45 title 'early branch', \
     'docs/performance/growth.dat' index 9 using 1:5 with lines lc rgb '#1b6ca8' lw 1.4 dt 2 notitle, \
     'docs/performance/growth.dat' index 10 using 1:5 with lines lc rgb '#c44e1b' lw 1.4 dt 2 notitle, \
     1/0 with lines lc rgb 'black' lw 1.4 dt 2 title 'floor'
unset multiplot
